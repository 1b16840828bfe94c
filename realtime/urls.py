from django.urls import path

from realtime.operations import views

urlpatterns = [
    path("realtime/stats/", views.StatsView.as_view()),
]
