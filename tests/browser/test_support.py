"""The complaints that every operator hears, each answered from the person's page by somebody with the support role."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from devservers.web import ServerProcess
from tests.browser.conftest import OpenPage, Run
from tests.browser.looking import accessible
from tests.browser.test_admin import clerk, log_in, number, ride_of
from tests.e2e.client import PLACE, TARGET, Client

__all__ = ["clerk"]

CANCELLED = (
    r"^The passenger cancelled after \d+ s; until then: "
    r"The only driver considered within 5\.0 km had the beacon off\.$"
)


def person_page(page: Page, msisdn: str) -> None:
    """Find a person as support does: by the number as the caller says it."""
    page.goto("/admin/")
    page.get_by_role("searchbox", name="Find a person").fill(msisdn.replace("+62", "0"))
    page.get_by_role("button", name="Find").click()
    page.locator("#result_list tbody").get_by_role("link", name=msisdn).press("Enter")  # no shift of the layout matters
    expect(page.get_by_role("heading", name="Who", exact=True)).to_be_visible()


def line_of(page: Page, panel: str) -> dict[str, str]:
    """Return the newest line of a panel, by its columns."""
    region = page.get_by_role("region", name=panel)
    columns = region.locator("thead th").all_text_contents()
    cells = region.locator("tbody tr").first.locator("td").all_text_contents()
    return dict(zip(columns, cells, strict=True))


async def search_in_vain(site: ServerProcess, driver: str, passenger: str) -> None:
    """Look for a driver where the only one has gone offline, and give up."""
    his = await Client.connect(site.url, site.log_in(driver, driver=True))
    hers = await Client.connect(site.url, site.log_in(passenger))
    far = {"latitude": PLACE["latitude"] + 3, "longitude": PLACE["longitude"]}
    await his.do("beacon_update", is_active=True, **far)
    await his.do("beacon_update", is_active=False)
    await hers.do("finder_update", is_active=True, location=far, target_location=TARGET)
    await hers.do("finder_update", is_active=False)
    for client in (his, hers):
        await client.hang_up()


async def arrive_and_pay(driver: Client, passenger: Client, ride_id: str) -> None:
    """End a ride as most rides end."""
    await driver.do("ride_arrived", ride_id=ride_id)
    bill = await passenger.data_of("payment_process")
    paying = {"total_cost": bill["total_cost"], "status": "ACCEPTED"}
    assert (await passenger.do("payment_process", ride_id=ride_id, **paying))["type"] == "ack"
    for client in (driver, passenger):
        await client.hang_up()


def test_nobody_came(open_page: OpenPage, site: ServerProcess, clerk: str, run: Run) -> None:
    """The page of the search begins with the cause, names who was there, and leads on; nobody is kept out of it."""
    driver, passenger = number(), number()
    run(search_in_vain(site, driver, passenger))
    page = log_in(open_page, site, clerk)
    person_page(page, passenger)
    assert line_of(page, "Last searches")["Status"] == "Cancelled"
    page.get_by_role("region", name="Last searches").locator("tbody a").first.click()
    cause = page.locator(".explanation .cause")
    expect(cause).to_have_text(re.compile(CANCELLED))
    row = page.locator(".explanation tbody tr")
    expect(row).to_contain_text(re.compile(r"\b0 m\s+\d+ s ago\s+had the beacon off"))
    accessible(page)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    told = page.request.get(str(page.get_by_role("link", name="As JSON").get_attribute("href"))).json()
    assert (told["cause"], told["outcomes"]) == ("cancelled", {"beacon_off": 1})
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Who", exact=True)).to_be_visible()
    expect(page.locator(".person")).to_contain_text(driver)
    page.go_back()
    page.get_by_role("link", name="The passenger").click()
    expect(page.locator(".person")).to_contain_text(passenger)


def test_a_ride_leads_to_how_the_driver_was_found(
    open_page: OpenPage, site: ServerProcess, clerk: str, run: Run
) -> None:
    """And back."""
    driver, passenger, ride_id, msisdn = ride_of(site, run)
    page = log_in(open_page, site, clerk)
    person_page(page, msisdn)
    page.get_by_role("region", name="Last rides").locator("tbody a").first.click()
    page.get_by_role("link", name="How the driver was found").click()
    expect(page.locator(".explanation .cause")).to_contain_text(" came, 0 m away, after ")
    page.get_by_role("link", name="The ride", exact=True).click()
    expect(page).to_have_url(re.compile(ride_id))
    for client in (driver, passenger):
        run(client.hang_up())


def test_charged_too_much_driven_in_circles_paid_twice(
    open_page: OpenPage, site: ServerProcess, clerk: str, run: Run
) -> None:
    """Driven stands beside direct, the fare is computed once more, and there is one payment for one ride."""
    driver, passenger, ride_id, msisdn = ride_of(site, run)
    run(arrive_and_pay(driver, passenger, ride_id))
    page = log_in(open_page, site, clerk)
    person_page(page, msisdn)
    ride, payment = line_of(page, "Last rides"), line_of(page, "Last payments")
    assert (ride["Status"], ride["Direct"], ride["Payment"]) == ("Completed", "2.753 km", "Accepted")
    assert re.fullmatch(r"0\.\d{3} km", ride["Driven"])
    assert re.fullmatch(r"Rp \d{3}", ride["Cost"])
    assert (payment["Status"], payment["Amount"], payment["Ride"]) == ("Accepted", ride["Cost"], ride_id[:8])
    assert page.get_by_role("region", name="Last payments").locator("tbody tr").count() == 1
    page.get_by_role("region", name="Last rides").locator("tbody a").first.click()
    expect(page.locator(".field-fare_check")).to_contain_text(f"{ride['Cost']}, as booked")
    expect(page.locator(".field-costs")).to_contain_text("inaccurate: 1")
    expect(page.locator(".leaflet-container")).to_be_visible()


def test_delete_my_data(open_page: OpenPage, site: ServerProcess, clerk: str) -> None:
    """With the permission there is a button; afterwards the page knows nobody."""
    person = number()
    site.log_in(person)
    page = log_in(open_page, site, clerk)
    person_page(page, person)
    erase = page.get_by_role("button", name="Delete the account and its data …")
    expect(page.get_by_role("button", name="Log out everywhere …")).to_be_visible()
    expect(erase).to_have_count(0)
    grant = (
        "from django.contrib.auth.models import Permission; from users.models import User; "
        f"User.objects.get(msisdn='{clerk}').user_permissions.add(Permission.objects.get(codename='erase_user'))"
    )
    assert site.manage("shell", "-c", grant).returncode == 0
    page.reload()
    accessible(page)
    erase.click()
    page.get_by_role("link", name="No, take me back").click()
    erase.click()
    page.get_by_role("button", name="Yes: Delete accounts and data").click()
    expect(page.locator(".messagelist")).to_contain_text("Deleted: 1 of 1 users.")
    expect(page.locator(".person")).to_contain_text("erased")
    expect(page.locator(".person")).not_to_contain_text(person)
    expect(erase).to_have_count(0)


def test_a_search_on_the_live_map_leads_to_its_page(
    open_page: OpenPage, site: ServerProcess, clerk: str, run: Run
) -> None:
    """While it is under way."""
    passenger = number()
    hers = run(Client.connect(site.url, site.log_in(passenger)))
    far = {"latitude": PLACE["latitude"] + 3, "longitude": PLACE["longitude"]}
    run(hers.do("finder_update", is_active=True, location=far, target_location=TARGET))
    page = log_in(open_page, site, clerk)
    page.goto("/live/")
    page.get_by_role("button", name="Requests", exact=True).click()
    page.get_by_role("row").filter(has_text=passenger[-4:]).get_by_role("button").click()
    page.get_by_role("link", name="The request in the admin").click()
    expect(page.locator(".explanation .cause")).to_contain_text("The search is under way for ")
    run(hers.hang_up())
