// Numbers and times as the reader of this language writes them, in the units of the account. What is not known is a dash.
import { locale } from "./texts.js";

const MILE_M = 1609.344;
const FOOT_M = 0.3048;
export const KG_PER_POUND = 0.45359237;
const UNKNOWN = "–";

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);

/** Seconds as 1:02:03, or 2:03. */
export function clock(s) {
  if (s === null) return UNKNOWN;
  const whole = Math.round(s);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (parts[0] ? parts : parts.slice(1)).map((part, i) => (i ? String(part).padStart(2, "0") : part)).join(":");
}

/** A size in megabytes, or in kilobytes where it is small. */
export const bytes = (n) => (n < 1e5 ? `${number(n / 1e3, 1)} kB` : `${number(n / 1e6, 1)} MB`);

/** Metric units, or imperial ones. */
export function unitsOf(account) {
  const imperial = account.units === "imperial";
  const unit = imperial ? "mi" : "km";
  const unitM = imperial ? MILE_M : 1000;
  return {
    unit,
    unitM,
    distance: (m) => (m === null ? UNKNOWN : `${number(m / unitM, 2)} ${unit}`),
    height: (m) => (m === null ? UNKNOWN : imperial ? `${number(m / FOOT_M)} ft` : `${number(m)} m`),
    pace: (mps) => (mps ? `${clock(unitM / mps)} /${unit}` : UNKNOWN),
  };
}

const written = (at, options) => new Intl.DateTimeFormat(locale, options).format(new Date(at));

/** A speed as a pace that can be typed, minutes and seconds a kilometre or mile, and back; unknown is empty. */
export const paceOf = (mps, { unitM }) => (mps === null ? "" : clock(unitM / mps));
export function mpsOfPace(typed, { unitM }) {
  if (typed === "") return null;
  const [minutes, seconds] = typed.split(":").map(Number);
  return unitM / (minutes * 60 + seconds);
}

/** A day, and a moment, on the reader's own clock. */
export const day = (at) => written(at, { dateStyle: "medium" });
export const moment = (at) => written(at, { dateStyle: "medium", timeStyle: "short" });

/** When a run began, on the clocks where it was run. */
export function began(run) {
  const style = { dateStyle: "medium", timeStyle: "short" };
  try {
    return written(run.started_at, { ...style, timeZone: run.timezone });
  } catch {
    return written(run.started_at, { ...style, timeZone: "UTC" }); // a zone that this browser has not heard of
  }
}

/** The month that begins on this local date, whatever zone the reader is in. */
export const month = (date) => written(`${date}T00:00:00Z`, { year: "numeric", month: "long", timeZone: "UTC" });

export const beats = (bpm) => (bpm === null ? UNKNOWN : `${number(bpm)} bpm`);
