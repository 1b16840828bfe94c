"""The URLs of the HTTP side; the WebSocket's are in `nebengjek.asgi`."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from common.rest.exception_handler import page_not_found
from realtime.operations import views

urlpatterns = [
    path("", include("web.urls")),
    path("admin/", admin.site.urls),
    path("api/", include("users.urls")),
    path("api/", include("rides.urls")),
    path("api/", include("realtime.urls")),
    # JSON, also for a POST without a CSRF token, and while DEBUG shows pages of its own
    re_path("^api/", csrf_exempt(page_not_found), {"exception": None}),
    path("health/live", views.live),
    path("health/ready", views.ready),
    path("health/detailed", views.HealthView.as_view()),
    path("metrics", views.MetricsView.as_view()),
]

handler400 = "common.rest.exception_handler.bad_request"
handler404 = "common.rest.exception_handler.page_not_found"
handler500 = "common.rest.exception_handler.server_error"
