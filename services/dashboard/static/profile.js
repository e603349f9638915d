// What one tells about oneself. Only what was changed here is sent: another device may have changed the rest meanwhile.
import { call } from "./api.js";
import { KG_PER_POUND, mpsOfPace, number, paceOf, unitsOf } from "./numbers.js";
import { element, find, guarded, notice } from "./say.js";
import { all, text } from "./texts.js";

const LANGUAGES = { en: "English", de: "Deutsch", fr: "Français" };

let account = null;
let shown = {}; // what each field said when it was filled

const form = () => find("profile-form");
const imperial = () => account.units === "imperial";
const whole = (typed) => (typed === "" ? null : Number(typed));

// What a field shows of an account, and what is sent of what it says.
const FIELDS = {
  name: [(it) => it.name, (typed) => typed],
  locale: [(it) => it.locale, (typed) => typed],
  timezone: [(it) => it.timezone, (typed) => typed],
  units: [(it) => it.units, (typed) => typed],
  sex: [(it) => it.sex ?? "", (typed) => typed || null],
  born_on: [(it) => it.born_on ?? "", (typed) => typed || null],
  weight_kg: [(it) => weight(it.weight_kg), (typed) => (typed === "" ? null : Number(typed) * (imperial() ? KG_PER_POUND : 1))],
  max_hr_bpm: [(it) => String(it.max_hr_bpm ?? ""), whole],
  rest_hr_bpm: [(it) => String(it.rest_hr_bpm ?? ""), whole],
  threshold_speed_mps: [(it) => paceOf(it.threshold_speed_mps, unitsOf(it)), (typed) => mpsOfPace(typed, unitsOf(account))],
};

const weight = (kg) => (kg === null ? "" : String(Math.round((kg / (imperial() ? KG_PER_POUND : 1)) * 10) / 10));

/** Fill the form. */
export function showProfile(theirs) {
  account = theirs;
  const fields = form().elements;
  fill(fields.timezone, zones());
  fill(fields.locale, Object.entries(LANGUAGES).filter(([code]) => code in all));
  find("weight-unit").textContent = imperial() ? "lb" : "kg";
  find("pace-unit").textContent = unitsOf(account).unit;
  for (const [name, [show]] of Object.entries(FIELDS)) {
    const value = show(account);
    if (fields[name] instanceof HTMLSelectElement && ![...fields[name].options].some((one) => one.value === value))
      fields[name].append(element("option", value, { value }));
    fields[name].value = value;
    shown[name] = value;
  }
}

const zones = () => ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")].map((zone) => [zone, zone.replaceAll("_", " ")]);
const fill = (select, options) => select.replaceChildren(...options.map(([value, words]) => element("option", words, { value })));

/** Make the form work; `changed` is called with the account as it is now. */
export function hangProfile(changed) {
  form().addEventListener("submit", guarded(async ({ target }) => {
    const json = {};
    for (const [name, [, read]] of Object.entries(FIELDS)) {
      const typed = target.elements[name].value;
      if (typed !== shown[name]) json[name] = read(typed);
    }
    showProfile(await call("PATCH", "accounts/me", { json }));
    changed(account);
    notice(text("profileSaved"));
  }));
}
