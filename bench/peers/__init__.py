"""What the project is compared with, each as its own documentation teaches; they run in processes of their own."""
