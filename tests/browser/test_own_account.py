"""One's own account, on its page: what one tells, a second factor from set-up to a lost telephone, and other devices."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyotp
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.steps import code, runs, sign_in, signed_in, three_files, upload
from tests.support.api import PASSWORD, Api, Mailbox
from tests.support.browsing import Visitor
from tests.support.running import Running

Runner = Callable[..., Visitor]
NEW = "an entirely new pass phrase"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def at_account(visitor: Visitor) -> Page:
    """The page of one's account, of somebody who has just signed in."""
    page = signed_in(visitor)
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_focused()
    return page


def says(page: Page, words: str) -> None:
    expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()


def signed_in_now(page: Page) -> None:
    expect(page.get_by_role("heading", name="Add runs")).to_be_visible()


def test_a_second_factor_is_turned_on_asked_for_and_survives_a_lost_telephone(runner: Runner) -> None:
    visitor = runner()
    visitor.watch.expected = {401, 422}
    page = at_account(visitor)
    factor = page.get_by_role("region", name="Second factor")
    expect(factor).to_contain_text("It is off")
    factor.get_by_role("button", name="Turn it on").click()
    digits = factor.get_by_label("The six digits")
    expect(digits).to_be_focused()
    assert page.locator("#qr").evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 100
    secret = (page.locator("#secret").inner_text()).replace(" ", "")
    link = factor.get_by_role("link", name="Open it in an app").get_attribute("href")
    assert link is not None
    read = pyotp.parse_uri(link)
    assert (read.secret, read.name) == (secret, visitor.email)
    digits.fill("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This is not the code that the app shows now.")
    digits.fill(code(secret))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_focused()
    codes = page.locator("#codes-list li").all_inner_texts()
    assert len(codes) == 10
    with page.expect_download() as downloading:
        factor.get_by_role("link", name="Save as a file").click()
    assert Path(downloading.value.path()).read_text().split()[1:] == codes
    factor.get_by_role("button", name="I have kept them").click()
    expect(factor).to_contain_text("Recovery codes left: 10.")
    assert secret not in page.content()
    assert codes[0] not in page.content()

    page.get_by_role("button", name="Sign out").first.click()
    form = page.get_by_role("form", name="Sign in")
    expect(form.get_by_label("Code of your")).to_be_hidden()
    sign_in(visitor, page)
    otp = form.get_by_label("Code of your")
    expect(otp).to_be_focused()
    expect(otp).to_have_attribute("autocomplete", "one-time-code")
    says(page, "takes a code, too")
    assert Axe().run(page).violations_count == 0
    otp.fill("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The e-mail address, the password or the code is wrong.")
    otp.fill(code(secret, ahead=1))
    page.keyboard.press("Enter")
    signed_in_now(page)

    page.get_by_role("button", name="Sign out").first.click()
    sign_in(visitor, page)
    otp.fill(codes[0].upper().replace("-", " "))
    page.keyboard.press("Enter")
    signed_in_now(page)
    page.get_by_role("link", name="Account").click()
    expect(factor).to_contain_text("Recovery codes left: 9.")
    password = factor.get_by_role("textbox", name="Password")
    password.fill("not the pass phrase")
    factor.get_by_role("button", name="Turn it off").click()
    expect(page.get_by_role("alert")).to_have_text("This is not your password.")
    password.fill(visitor.password)
    factor.get_by_role("button", name="Turn it off").click()
    says(page, "The second factor is off.")
    expect(factor).to_contain_text("It is off")


def test_what_one_tells_is_kept_and_counts_at_once(runner: Runner) -> None:
    visitor = runner()
    visitor.watch.expected = {422}
    page = at_account(visitor)
    profile = page.get_by_role("form", name="Profile")
    profile.get_by_role("textbox", name="Name").fill("Rosa L.")
    profile.get_by_label("Language of our mails").select_option(label="Français")
    profile.get_by_label("Time zone").select_option(label="America/New York")
    profile.get_by_label("Born on").fill("1987-02-28")
    profile.get_by_label("Weight").fill("61.5")
    profile.get_by_label("Pace you can hold").fill("4:10")
    profile.get_by_label("Highest heart rate").fill("150")
    profile.get_by_label("Resting heart rate").fill("120")
    profile.get_by_label("Units").select_option(label="Miles")
    profile.get_by_role("button", name="Save").click()
    says(page, "Your profile is saved.")
    expect(page.locator("#who")).to_contain_text("Rosa L.")
    expect(profile.get_by_label("Weight")).to_have_value("135.6")
    expect(profile.get_by_label("Pace you can hold")).to_have_value("6:42")
    profile.get_by_label("Highest heart rate").fill("110")
    profile.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("The resting heart rate is below the highest")
    expect(profile.get_by_label("Resting heart rate")).to_be_focused()

    page.reload()
    expect(profile.get_by_label("Highest heart rate")).to_have_value("150")
    told = page.evaluate("fetch('/api/v1/accounts/me').then((answer) => answer.json())")
    assert (told["timezone"], told["locale"], told["born_on"]) == ("America/New_York", "fr", "1987-02-28")
    assert (told["weight_kg"], round(told["threshold_speed_mps"], 3)) == (61.5, 4.0)
    page.get_by_role("link", name="Back to all runs").click()
    upload(page, three_files()[0])
    assert "mi" in runs(page)[0]


def test_the_password_and_the_address_are_changed(runner: Runner, it: Running) -> None:
    visitor = runner()
    visitor.watch.expected = {422}
    page = at_account(visitor)
    devices = page.get_by_role("region", name="Where you are signed in").get_by_role("listitem")
    expect(devices).to_have_count(2)
    password = page.get_by_role("form", name="Password")
    password.get_by_label("Password so far").fill("not the pass phrase")
    password.get_by_label("a few words make a good one").fill(NEW)
    password.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_have_text("This is not your password.")
    expect(password.get_by_label("Password so far")).to_be_focused()
    password.get_by_label("Password so far").fill(visitor.password)
    password.get_by_role("button").click()
    says(page, "Your password is changed.")
    expect(devices).to_have_count(1)

    address = page.get_by_role("form", name="E-mail address")
    expect(address).to_contain_text(f"You sign in with {visitor.email}")
    before, visitor.email = visitor.email, f"new-{visitor.email}"
    address.get_by_label("New address").fill(visitor.email)
    address.get_by_label("Password").fill(NEW)
    address.get_by_role("button").click()
    says(page, f"a link we sent to {visitor.email}")
    expect(address).to_contain_text(before)
    link = re.search(r"/confirm-email\?token=[\w-]+", Mailbox(it.sandbox_port).newest(visitor.email)["text"])
    assert link
    page = visitor.open(link[0])
    says(page, visitor.email)
    page.get_by_role("link", name="Account").click()
    expect(address_shown(page)).to_have_text(visitor.email)
    page.get_by_role("button", name="Sign out").first.click()
    sign_in(visitor, page, NEW)
    signed_in_now(page)


def address_shown(page: Page) -> Locator:
    return page.get_by_role("form", name="E-mail address").locator("strong")


def test_everything_can_be_taken_out_and_the_account_deleted(runner: Runner) -> None:
    visitor = runner()
    visitor.watch.expected = {401, 422}
    page = signed_in(visitor)
    upload(page, three_files()[0])
    page.get_by_role("link", name="Account").click()
    takeout = page.get_by_role("region", name="Take everything out")
    takeout.get_by_role("button", name="Make the archive").click()
    page.get_by_role("link", name="Back to all runs").click()
    page.get_by_role("link", name="Account").click()
    expect(takeout.get_by_role("status")).to_contain_text("Your archive is there", timeout=60_000)
    with page.expect_download() as downloading:
        takeout.get_by_role("link", name="Download the archive").click()
    with zipfile.ZipFile(downloading.value.path()) as archive:
        names = archive.namelist()
    assert "manifest.json" in names
    assert any(name.startswith("originals/") for name in names)

    leaving = page.get_by_role("form", name="Delete the account")
    expect(leaving).to_contain_text("for good")
    page.on("dialog", lambda dialog: dialog.accept())
    leaving.get_by_label("Password").fill("not the pass phrase")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This is not your password.")
    leaving.get_by_label("Password").fill(visitor.password)
    page.keyboard.press("Enter")
    says(page, "Your account is gone.")
    expect(page.get_by_text("Rosa Läufer")).to_be_hidden()
    assert visitor.context.cookies() == []
    sign_in(visitor, page)
    expect(page.get_by_role("alert")).to_have_text("The e-mail address or the password is wrong.")


def test_other_devices_are_seen_and_signed_out(runner: Runner, it: Running) -> None:
    visitor = runner()
    api = Api(it.port)
    credentials = {"email": visitor.email, "password": PASSWORD}
    phone, laptop = (api.post("sessions", credentials, user_agent=FIREFOX).json for _ in range(2))
    page = at_account(visitor)
    devices = page.get_by_role("region", name="Where you are signed in").get_by_role("listitem")
    expect(devices).to_have_count(4)  # registering signed in, too
    expect(devices.first).to_contain_text("This device")
    expect(devices.first).to_contain_text(re.compile("Chrome.* · Linux"))
    page.get_by_role("button", name="Sign out Firefox · Linux").first.click()
    says(page, "Firefox · Linux is signed out.")
    expect(devices).to_have_count(3)
    page.get_by_role("button", name="Sign out everywhere else").click()
    says(page, "You are signed out everywhere else.")
    expect(devices).to_have_count(1)
    expect(page.get_by_role("button", name="Sign out everywhere else")).to_be_hidden()
    for device in (phone, laptop):
        assert api.post("sessions/refresh", {"refresh_token": device["refresh_token"]}).status == 401
