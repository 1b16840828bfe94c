from django.urls import path

from realtime import views

urlpatterns = [
    path("realtime/stats/", views.StatsView.as_view()),
]
