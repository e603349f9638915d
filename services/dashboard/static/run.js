// One run: what it was, its profile and splits, its file.
import { call } from "./api.js";
import { downloads } from "./download.js";
import { beats, began, clock, number } from "./numbers.js";
import { element, find, guarded, row } from "./say.js";
import { text } from "./texts.js";

const POINTS = 300;
const [WIDTH, HEIGHT, ROOM] = [600, 160, 10];

let path = "";

/** Read a run, and what was measured along it. */
export async function readRun(id, units) {
  const place = `activities/${encodeURIComponent(id)}`;
  const [run, streams, splits] = await Promise.all([
    call("GET", place),
    call("GET", `${place}/streams?series=distance,altitude&points=${POINTS}`),
    call("GET", `${place}/splits?unit=${units.unit}`),
  ]);
  return { place, run, streams, splits };
}

export function showRun({ place, run, streams, splits }, units) {
  path = place;
  find("run-title").textContent = run.title;
  find("run-when").textContent = `${began(run)} (${run.timezone})`;
  find("facts").replaceChildren(...facts(run, units).map(([key, value]) => {
    const pair = document.createElement("div");
    pair.append(element("dt", text(key)), element("dd", value));
    return pair;
  }));
  drawProfile(streams.series, units);
  find("unit").textContent = units.unit;
  find("parts").hidden = splits.items.length === 0;
  find("splits").tBodies[0].replaceChildren(...splits.items.map((s) =>
    row(number(s.index + 1), clock(s.elapsed_s), units.pace(s.average_speed_mps), units.height(s.ascent_m))));
  find("original").href = `/api/v1/${path}/original`;
  find("original").hidden = run.source.kind !== "file";
}

const facts = (run, units) => [
  ["sport", text(`sport.${run.sport}`)],
  ["distance", units.distance(run.distance_m)],
  ["time", clock(run.elapsed_s)],
  ["moving", clock(run.moving_s)],
  ["pace", units.pace(run.average_speed_mps)],
  ["ascent", units.height(run.ascent_m)],
  ["heart", beats(run.average_heart_rate_bpm)],
  ["device", run.device ?? "–"],
];

function drawProfile({ distance, altitude }, units) {
  const points = (distance ?? []).map((m, i) => [m, altitude?.[i] ?? null]).filter(([m, up]) => m !== null && up !== null);
  const chart = find("profile");
  chart.parentElement.hidden = points.length < 2;
  if (chart.parentElement.hidden) return;
  const heights = points.map(([, up]) => up);
  const [low, high, far] = [Math.min(...heights), Math.max(...heights), points.at(-1)[0] || 1];
  const x = (m) => ((m / far) * WIDTH).toFixed(1);
  const y = (up) => (HEIGHT - ROOM - ((up - low) / (high - low || 1)) * (HEIGHT - 2 * ROOM)).toFixed(1);
  const line = `M${points.map(([m, up]) => `${x(m)},${y(up)}`).join("L")}`;
  chart.replaceChildren(shape("area", `${line}L${WIDTH},${HEIGHT}L${x(points[0][0])},${HEIGHT}Z`), shape("line", line));
  const words = text("profile", { low: units.height(low), high: units.height(high), distance: units.distance(far) });
  chart.setAttribute("aria-label", words);
  find("profile-caption").textContent = words;
}

function shape(name, d) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "path");
  made.setAttribute("class", name);
  made.setAttribute("d", d);
  return made;
}

downloads(find("original"));

/** `removed` is called when the run that is shown has been deleted. */
export function onRemoved(removed) {
  find("remove").addEventListener("click", guarded(async () => {
    if (!confirm(text("sure"))) return;
    await call("DELETE", path);
    await removed();
  }));
}
