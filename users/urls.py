from django.urls import path

from users import api

urlpatterns = [
    path("auth/otp/", api.CodeView.as_view()),
    path("auth/token/", api.TokenView.as_view()),
    path("auth/refresh/", api.RefreshView.as_view()),
    path("auth/logout/", api.LogoutView.as_view()),
    path("me/", api.MeView.as_view()),
]
