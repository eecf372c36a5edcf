"use strict";
(() => {
  const root = document.documentElement;
  const tip = document.getElementById("tip");

  // The text of a point, near the pointer or near the point itself.
  let shown = null;
  const show = (mark, x, y) => {
    if (shown) shown.classList.remove("on");
    shown = mark;
    tip.hidden = !mark;
    if (!mark) return;
    mark.classList.add("on");
    tip.textContent = mark.dataset.tip;
    const box = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, x + 14), innerWidth - box.width - 8);
    const above = y - box.height - 12;
    tip.style.left = left + "px";
    tip.style.top = (above < 8 ? y + 16 : above) + "px";
  };
  document.addEventListener("pointermove", (event) => {
    const mark = event.target.closest ? event.target.closest("[data-tip]") : null;
    if (mark) show(mark, event.clientX, event.clientY);
    else if (shown) show(null);
  });
  document.addEventListener("scroll", () => show(null), { passive: true });

  // Arrow keys go from point to point of a chart that has the focus.
  for (const plot of document.querySelectorAll(".plot, .lines")) {
    const marks = [...plot.querySelectorAll("[data-tip]")];
    let at = -1;
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") return show(null);
      if (!step || !marks.length) return;
      event.preventDefault();
      at = Math.min(Math.max(0, at + step), marks.length - 1);
      const box = marks[at].getBoundingClientRect();
      show(marks[at], box.left + box.width / 2, box.top);
    });
    plot.addEventListener("blur", () => show(null));
  }

  // Drawings that are wider than their room begin where the network does.
  for (const box of document.querySelectorAll(".network")) {
    const node = box.querySelector("rect");
    if (!node || box.scrollWidth <= box.clientWidth) continue;
    const [first, room] = [node.getBoundingClientRect(), box.getBoundingClientRect()];
    box.scrollLeft += first.left + first.width / 2 - room.left - room.width / 2;
  }

  // Light, dark, or what the system says.
  const button = document.getElementById("theme");
  const next = { "": "dark", dark: "light", light: "" };
  const name = { "": "Theme: system", dark: "Theme: dark", light: "Theme: light" };
  const label = () => { button.textContent = name[root.dataset.theme || ""]; };
  button.hidden = false;
  label();
  button.addEventListener("click", () => {
    const theme = next[root.dataset.theme || ""];
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    label();
  });

  // Code can be copied, where the browser allows it.
  for (const block of document.querySelectorAll(".code")) {
    if (!navigator.clipboard) break;
    const copy = document.createElement("button");
    copy.type = "button";
    copy.textContent = "Copy";
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    });
    block.append(copy);
  }

  // What is folded is printed, too, but for the longest tables.
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details"))
      if (part.querySelectorAll("tr").length <= 60) part.open = true;
  });
})();
