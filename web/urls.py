"""The pages."""

from django.urls import path
from django.views.i18n import JavaScriptCatalog

from web import demo
from web.live.views import live

app_name = "web"
urlpatterns = [
    path("", demo.front_door, name="demo"),
    path("demo/codes/<str:msisdn>/", demo.code, name="demo-code"),
    path("live/", live, name="live"),
    path("texts.js", JavaScriptCatalog.as_view(packages=["web"]), name="texts"),
]
