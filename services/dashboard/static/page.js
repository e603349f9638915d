// The front page: the door for who is not signed in, the runs of who is, and one run at #<id>.
import { call, Problem } from "./api.js";
import { language, text } from "./texts.js";

const find = (id) => document.getElementById(id);
const element = (name, content, attributes = {}) => Object.assign(document.createElement(name), { textContent: content, ...attributes });
const row = (...cells) => {
  const made = document.createElement("tr");
  for (const cell of cells) {
    const box = document.createElement("td");
    box.append(cell);
    made.append(box);
  }
  return made;
};

// -- numbers, as the reader of this language writes them; units by the account's own choice

let imperial = false;
const number = (value, digits = 0) => new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
const distance = (m) => (m === null ? "–" : imperial ? `${number(m / 1609.344, 2)} mi` : `${number(m / 1000, 2)} km`);
const height = (m) => (m === null ? "–" : imperial ? `${number(m / 0.3048)} ft` : `${number(m)} m`);
const clock = (s) => {
  if (s === null) return "–";
  const whole = Math.round(s);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (parts[0] ? parts : parts.slice(1)).map((part, i) => (i ? String(part).padStart(2, "0") : part)).join(":");
};
const pace = (mps) => (mps ? `${clock((imperial ? 1609.344 : 1000) / mps)} /${imperial ? "mi" : "km"}` : "–");
const when = (run) => new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short", timeZone: run.timezone ?? "UTC" }).format(new Date(run.started_at));
const month = (period) => new Intl.DateTimeFormat(language, { year: "numeric", month: "long", timeZone: "UTC" }).format(new Date(period));

// -- what the page says

const notice = (message) => { find("notice").textContent = message; };
const trouble = (error) => { find("trouble").textContent = error instanceof Problem ? error.message : error ? text("unreachable") : ""; };
const guarded = (work) => async (event) => {
  event?.preventDefault();
  trouble(null);
  try { await work(event); } catch (error) { trouble(error); }
};
const show = (id) => { for (const section of ["door", "home", "run"]) find(section).hidden = section !== id; };
for (const spoken of document.querySelectorAll("[data-text]")) spoken.textContent = text(spoken.dataset.text);
document.documentElement.lang = language;

// -- the door

find("sign-in").addEventListener("submit", guarded(async (event) => {
  const { email, password } = Object.fromEntries(new FormData(event.target));
  await call("POST", "sessions", { json: { email, password, mode: "cookie" } });
  event.target.reset();
  notice("");
  await open();
}));

find("register").addEventListener("submit", guarded(async (event) => {
  const { name, email, password } = Object.fromEntries(new FormData(event.target));
  const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  await call("POST", "accounts", { json: { name, email, password, locale: language, timezone } });
  event.target.reset();
  notice(text("mailed"));
}));

find("sign-out").addEventListener("click", guarded(async () => {
  await call("DELETE", "sessions/current");
  await open();
}));

async function activate() {
  const token = new URLSearchParams(location.search).get("token");
  history.replaceState(null, "", "/");
  await call("POST", "accounts/activation", { json: { token } });
  notice(text("activated"));
}

// -- the runs

let next = null;

async function list() {
  const page = await call("GET", `activities?limit=20${next ? `&cursor=${encodeURIComponent(next)}` : ""}`);
  next = page.next;
  find("runs").tBodies[0].append(...page.items.map(oneRow));
  find("more").hidden = next === null;
  find("none").hidden = find("runs").tBodies[0].rows.length > 0;
}

function oneRow(run) {
  const title = element("a", run.title ?? run.sport, { href: `#${run.id}` });
  const remove = element("button", text("remove"), { type: "button" });
  remove.setAttribute("aria-label", `${text("remove")}: ${run.title ?? run.sport}, ${when(run)}`);
  remove.addEventListener("click", guarded(async () => {
    if (!confirm(text("sure"))) return;
    await call("DELETE", `activities/${run.id}`);
    await refresh();
  }));
  return row(when(run), title, distance(run.distance_m), clock(run.moving_s), pace(run.average_speed_mps), remove);
}

async function months() {
  const { items } = await call("GET", "stats?by=month");
  find("months").tBodies[0].replaceChildren(...items.reverse().map((m) =>
    row(month(m.period), number(m.activities), distance(m.distance_m), clock(m.moving_s), height(m.ascent_m))));
}

async function refresh() {
  next = null;
  find("runs").tBodies[0].replaceChildren();
  await Promise.all([list(), months()]);
}

find("more").addEventListener("click", guarded(list));

find("upload").addEventListener("submit", guarded(async (event) => {
  for (const file of event.target.elements.files.files) {
    const told = element("li", `${file.name} …`);
    find("uploaded").append(told);
    const form = new FormData();
    form.append("file", file);
    try {
      await call("POST", "activities", { form });
      told.textContent = `${file.name}: ${text("added")}`;
    } catch (error) {
      told.textContent = `${file.name}: ${error instanceof Problem ? error.message : text("unreachable")}`;
    }
  }
  event.target.reset();
  await refresh();
}));

// -- one run

async function openRun(id) {
  const path = `activities/${encodeURIComponent(id)}`;
  const [run, streams, splits] = await Promise.all([
    call("GET", path),
    call("GET", `${path}/streams?series=distance,altitude&points=300`),
    call("GET", `${path}/splits?unit=${imperial ? "mi" : "km"}`),
  ]);
  find("run-title").textContent = `${run.title ?? run.sport}, ${when(run)}`;
  const facts = [
    ["sport", run.sport], ["distance", distance(run.distance_m)], ["time", clock(run.elapsed_s)], ["moving", clock(run.moving_s)],
    ["pace", pace(run.average_speed_mps)], ["ascent", height(run.ascent_m)],
    ["heart", run.average_heart_rate_bpm === null ? "–" : `${number(run.average_heart_rate_bpm)} bpm`], ["device", run.device ?? "–"],
  ];
  find("facts").replaceChildren(...facts.flatMap(([key, value]) => [element("dt", text(key)), element("dd", value)]));
  draw(streams.series);
  find("splits").tBodies[0].replaceChildren(...splits.items.map((s) =>
    row(number(s.index + 1), clock(s.elapsed_s), pace(s.average_speed_mps), height(s.ascent_m))));
  find("original").href = `/api/v1/${path}/original`;
  find("original").hidden = run.source.kind !== "file";
  show("run");
  find("content").focus();
}

function draw({ distance: along, altitude }) {
  const chart = find("profile");
  chart.parentElement.hidden = !along || !altitude;
  if (chart.parentElement.hidden) return;
  const known = altitude.filter((m) => m !== null);
  const [low, high, far] = [Math.min(...known), Math.max(...known), along.at(-1) || 1];
  const points = along.map((m, i) => [m, altitude[i]]).filter(([, m]) => m !== null);
  const line = points.map(([m, up]) => `${((m / far) * 600).toFixed(1)},${(150 - ((up - low) / (high - low || 1)) * 140).toFixed(1)}`);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", `M${line.join("L")}`);
  chart.replaceChildren(path);
  chart.setAttribute("aria-label", `${text("profile")}: ${height(low)} – ${height(high)}`);
}

// -- where we are

async function open() {
  let me = null;
  try {
    me = await call("GET", "accounts/me");
  } catch (error) {
    if (!(error instanceof Problem) || ![401, 403].includes(error.status)) throw error;
  }
  find("who").hidden = me === null;
  if (me === null) { show("door"); return; }
  imperial = me.units === "imperial";
  find("name").textContent = me.name;
  const id = location.hash.slice(1);
  if (id) { await openRun(id); return; }
  show("home");
  await refresh();
}

addEventListener("hashchange", guarded(open));
await guarded(async () => {
  if (location.pathname === "/activate") await guarded(activate)();
  await open();
})();
