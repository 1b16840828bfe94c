"""The pages."""

from django.templatetags.static import static
from django.urls import path
from django.utils.functional import lazy
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog

from web import demo
from web.docs import views as docs
from web.live.views import live

app_name = "web"
urlpatterns = [
    path("", demo.front_door, name="demo"),
    path("demo/codes/<str:msisdn>/", demo.code, name="demo-code"),
    path("demo/worker.js", demo.worker, name="demo-worker"),
    path("live/", live, name="live"),
    path("docs/", docs.protocol, name="docs"),
    path("docs/asyncapi.json", docs.asyncapi, name="asyncapi"),
    path("api/docs/", docs.rest, name="rest"),
    path("api/schema/", docs.schema, name="schema"),
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("web/icon.svg")), name="icon"),  # asked for unasked
    path("texts.js", JavaScriptCatalog.as_view(packages=["web"]), name="texts"),
]
