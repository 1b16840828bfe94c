from django.urls import path

from rides import api
from rides.push import api as push_api
from rides.staff.api import ExplanationView

urlpatterns = [
    path("drivers/", api.DriverView.as_view()),
    path("me/devices/", push_api.DevicesView.as_view()),
    path("me/devices/<uuid:device_id>/", push_api.DeviceView.as_view()),
    path("rides/", api.RideListView.as_view()),
    path("rides/<uuid:ride_id>/", api.RideDetailView.as_view()),
    path("rides/<uuid:ride_id>/block/", api.RideBlockView.as_view()),
    path("rides/<uuid:ride_id>/track/", api.TrackView.as_view()),
    path("quotes/", api.QuoteView.as_view()),
    path("payments/webhook/<slug:name>/", api.payment_webhook),
    path("searches/<uuid:finder_id>/", ExplanationView.as_view(), name="explain_search"),
    path("payments/<uuid:payment_id>/qr.svg", api.qr_code),
]
