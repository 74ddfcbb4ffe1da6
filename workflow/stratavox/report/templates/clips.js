// A clip's spectrogram and sound, beside its point in a map. The page holds
// <script type="application/json" id="clips">: stratavox/report/player.py says what is in it.
// Nothing is fetched by script, so that the page works from a disk (file://).
"use strict";

const { showClip, clipList } = (() => {
  const stored = JSON.parse(document.getElementById("clips").textContent);

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // Of calls of milliseconds, seconds with two digits would say nothing.
  const seconds = (value, end = value) =>
    end < 0.1 ? `${(1000 * value).toFixed(1)} ms` : `${value.toFixed(2)} s`;

  // Show a clip beside the place (x, y) of the window, in pixels, and play it. Escape, the button and
  // a click elsewhere close it, and the focus goes back to where it was.
  function showClip(dataset, clipId, x, y) {
    const before = document.activeElement;
    const heading = make("h2", { id: "clip-heading" }, clipId);
    const close = make("button", { type: "button", class: "clip-close", "aria-label": "Close" }, "×");
    const box = make(
      "div",
      { class: "clip", role: "dialog", "aria-labelledby": "clip-heading", popover: "auto", tabindex: -1 },
      close, heading, ...aboutClip(dataset, clipId)
    );
    close.addEventListener("click", () => box.hidePopover());
    box.addEventListener("toggle", (event) => {
      if (event.newState === "open") return;
      // a click on something else has given the focus to that already
      if (box.contains(document.activeElement) || document.activeElement === document.body)
        before.focus({ preventScroll: true });
      box.remove();
    });
    document.body.append(box);
    box.showPopover();
    const within = (at, size, room) => Math.max(8, Math.min(at + 12, room - size - 8));
    box.style.left = `${within(x, box.offsetWidth, document.documentElement.clientWidth)}px`;
    box.style.top = `${within(y, box.offsetHeight, window.innerHeight)}px`;
    box.focus({ preventScroll: true });
    // the browser may want a click on the button first
    box.querySelector("audio")?.play().catch(() => {});
  }

  // What the box says of a clip, as elements.
  function aboutClip(dataset, clipId) {
    const entry = stored[dataset];
    if (!entry || !Object.hasOwn(entry.clips, clipId)) {
      const some = entry ? `${Object.keys(entry.clips).length} of its ${entry.whole}` : "none of its";
      return [make("p", {}, `No picture and no sound: the page holds ${some} clips of ${dataset}.`)];
    }
    const [stem, label, start, shown, duration, hertz] = entry.clips[clipId];
    const file = `${entry.folder}/${stem}`;
    const highest = hertz / 1000;
    const picture = make("img", {
      src: `${file}.webp`, width: 256, height: 128,
      alt: `Spectrogram, 0 to ${highest} kHz, ${seconds(shown)}.`,
    });
    const sound = make("audio", { controls: "", preload: "auto", src: `${file}.mp3`, "aria-label": `Sound of ${clipId}` });
    const missing = make("p", { role: "status" });
    for (const element of [picture, sound])
      element.addEventListener("error", () => {
        missing.textContent = `The folder ${entry.folder}, which must be beside this page, lacks a file of this clip.`;
      });
    const end = start + shown;
    const ends = [`${highest} kHz`, "0", seconds(start, end), seconds(end)];
    const axes = make(
      "div", { class: "clip-axes" },
      picture, ...ends.map((end) => make("span", { "aria-hidden": "true" }, end))
    );
    const slow = entry.speed === 1 ? "" :
      `Played at ${entry.speed} times its speed; times and kHz are the animal's. `;
    const cut = shown < duration ? `The loudest ${shown} s of ${seconds(duration)}. ` : "";
    return [
      make("p", {}, label || "Outside the tasks."), axes, sound,
      make("p", { class: "clip-note" }, `${slow}${cut}Every clip is played at the same peak level.`), missing,
    ];
  }

  // A list to choose a clip from, for keyboards and screen readers: points of a map take no focus.
  function clipList(dataset) {
    const entry = stored[dataset];
    const names = entry ? Object.keys(entry.clips) : [];
    const select = make("select", {}, ...names.map((name) => {
      const label = entry.clips[name][1];
      return make("option", { value: name }, label ? `${name} (${label})` : name);
    }));
    const button = make("button", { type: "button" }, "Show and play");
    button.addEventListener("click", () => {
      const place = button.getBoundingClientRect();
      showClip(dataset, select.value, place.left, place.bottom);
    });
    const text = `A clip of ${dataset}${entry && names.length < entry.whole ? ` (${names.length} of ${entry.whole} are stored)` : ""}: `;
    return make("div", { class: "clip-list" }, make("label", {}, text, select), " ", button);
  }

  return { showClip, clipList };
})();
