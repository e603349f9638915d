// Keeps the list of mails fresh, and lets its reader stop that (WCAG 2.2.2).
"use strict";

const EVERY_MS = 2000;
const letters = document.getElementById("letters");
const news = document.getElementById("news");
const refresh = document.getElementById("refresh");
let running = true;

const count = (list) => list.querySelectorAll("li").length;

async function look() {
  if (!running || document.hidden) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok) {
    news.textContent = "The sandbox does not answer";
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("letters");
  if (fresh.innerHTML === letters.innerHTML) return;
  const before = count(letters);
  const focused = document.activeElement?.closest("#letters a")?.getAttribute("href");
  letters.innerHTML = fresh.innerHTML;
  if (focused) letters.querySelector(`a[href="${focused}"]`)?.focus();
  news.textContent = count(letters) > before ? "New mail" : "The list has changed";
}

refresh.addEventListener("click", () => {
  running = !running;
  refresh.setAttribute("aria-pressed", String(running));
  refresh.textContent = running ? "Refreshing by itself" : "Not refreshing";
  look();
});

document.getElementById("clear").addEventListener("click", async () => {
  if (!confirm("Throw these mails away?")) return;
  await fetch(`/mailbox/messages${location.search}`, { method: "DELETE" });
  look();
});

document.getElementById("bar").hidden = false;
setInterval(look, EVERY_MS);
