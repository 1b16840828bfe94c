"""The pages."""

from django.urls import path
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog

from web.live.views import live

app_name = "web"
urlpatterns = [
    path("", RedirectView.as_view(url="admin/"), name="demo"),
    path("live/", live, name="live"),
    path("texts.js", JavaScriptCatalog.as_view(packages=["web"]), name="texts"),
]
