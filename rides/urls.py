from django.urls import path

from rides import api

urlpatterns = [
    path("drivers/", api.DriverView.as_view()),
    path("rides/", api.RideListView.as_view()),
    path("rides/<uuid:ride_id>/", api.RideDetailView.as_view()),
    path("rides/<uuid:ride_id>/block/", api.RideBlockView.as_view()),
    path("rides/<uuid:ride_id>/track/", api.TrackView.as_view()),
    path("quotes/", api.QuoteView.as_view()),
    path("payments/webhook/<slug:name>/", api.payment_webhook),
    path("payments/<uuid:payment_id>/qr.svg", api.qr_code),
]
