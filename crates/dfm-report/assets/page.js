"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const plot = $("histogram");
  if (!plot) return; // no picture was judged

  const entries = Array.from($("entries").children, (node) => ({
    node,
    score: Number(node.dataset.score),
    defect: node.dataset.truth === "defect",
    class: node.dataset.class,
    verdict: node.querySelector(".verdict span"),
  }));

  // --- from scores to positions on the histogram's axis, and back -------------------

  const low = Number(plot.dataset.low);
  const high = Number(plot.dataset.high);
  const logarithmic = plot.dataset.logarithmic === "true";
  const to = (score) => (logarithmic ? Math.log(Math.max(score, low)) : score);
  const shareOf = (score) => Math.min(1, Math.max(0, (to(score) - to(low)) / (to(high) - to(low))));
  const scoreAt = (share) => {
    const place = to(low) + share * (to(high) - to(low));
    return logarithmic ? Math.exp(place) : place;
  };

  // As src/number.rs writes them.
  const scoreText = (value) => {
    const size = Math.abs(value);
    if (size >= 1e6 || (size > 0 && size < 1e-3)) return value.toExponential(4).replace("e+", "e");
    return value.toFixed(size >= 1e3 ? 1 : 4);
  };
  const percent = (share) => (100 * share).toFixed(1) + "\u00a0%";

  // --- the threshold -----------------------------------------------------------

  const initial = plot.dataset.threshold === undefined ? null : Number(plot.dataset.threshold);
  let threshold = initial;

  const verdictOn = (entry) => {
    if (threshold === null) return "no threshold";
    const called = entry.score >= threshold;
    return entry.defect ? (called ? "found" : "missed") : called ? "false alarm" : "passed";
  };

  function judge() {
    const counts = { found: 0, missed: 0, "false alarm": 0, passed: 0, "no threshold": 0 };
    const called = new Map();
    for (const entry of entries) {
      const verdict = verdictOn(entry);
      counts[verdict] += 1;
      const anomalous = verdict === "found" || verdict === "false alarm";
      called.set(entry.class, (called.get(entry.class) ?? 0) + anomalous);
      if (entry.node.dataset.verdict !== verdict) {
        entry.node.dataset.verdict = verdict;
        entry.verdict.textContent = verdict;
      }
    }
    const none = threshold === null;
    const count = (name) => (none ? "–" : String(counts[name]));
    $("found").value = count("found");
    $("missed-count").value = count("missed");
    $("alarms-count").value = count("false alarm");
    $("passed").value = count("passed");
    document.querySelector("[value='false alarm'] + span output").value = count("false alarm");
    document.querySelector("[value=missed] + span output").value = count("missed");
    for (const row of document.querySelectorAll(".classes tr[data-class]")) {
      row.querySelector(".called").textContent = none ? "–" : called.get(row.dataset.class) ?? 0;
    }
    const { found, missed, passed, "false alarm": alarms } = counts;
    const shares = {
      recall: found / (found + missed),
      precision: found / (found + alarms),
      alarms: alarms / (alarms + passed),
      f1: found + missed > 0 ? (2 * found) / (2 * found + missed + alarms) : NaN,
    };
    for (const [name, share] of Object.entries(shares)) {
      const output = $(name);
      const without = none ? "no threshold" : output.dataset.without;
      output.value = Number.isNaN(share) ? without : percent(share);
      output.classList.toggle("without", Number.isNaN(share));
    }
    draw(shares);
  }

  // --- what moves in the plots ---------------------------------------------------

  function draw(shares) {
    const [left, right] = plot.dataset.area.split(" ").map(Number);
    const none = threshold === null;
    const share = none ? 0.5 : shareOf(threshold);
    const x = left + share * (right - left);
    const line = $("line");
    const text = line.querySelector("text");
    const atTheEnd = share > 0.8;
    line.setAttribute("visibility", none ? "hidden" : "visible");
    line.setAttribute("transform", `translate(${x} 0)`);
    text.setAttribute("class", atTheEnd ? "end" : "start");
    text.setAttribute("x", atTheEnd ? -6 : 6);
    text.textContent = none ? "" : "threshold " + scoreText(threshold);
    for (const part of [$("missed"), $("alarmed")]) part.setAttribute("visibility", none ? "hidden" : "visible");
    $("missed").setAttribute("width", x - left);
    $("alarmed").setAttribute("x", x);
    $("alarmed").setAttribute("width", right - x);

    for (const point of document.querySelectorAll(".at")) {
      const [left, right, top, bottom] = point.dataset.area.split(" ").map(Number);
      const [across, up] = [shares[point.dataset.x], shares[point.dataset.y]];
      const there = !Number.isNaN(across + up);
      point.setAttribute("visibility", there ? "visible" : "hidden");
      if (there) {
        point.setAttribute("transform", `translate(${left + across * (right - left)} ${bottom - up * (bottom - top)})`);
      }
    }
  }

  // --- which pictures are shown ----------------------------------------------------

  const tools = document.querySelector(".tools");
  let order = "falling";

  function show() {
    const wanted = tools.elements.show.value;
    const only = $("class").selectedIndex > 0 ? $("class").value : null;
    let shown = 0;
    for (const { node, ...entry } of entries) {
      node.hidden = (wanted !== "all" && node.dataset.verdict !== wanted) || (only !== null && entry.class !== only);
      shown += !node.hidden;
    }
    const of = shown < entries.length ? ` of ${entries.length}` : "";
    const kind = { all: "", "false alarm": ": false alarms", missed: ": misses" }[wanted];
    const without = shown === 0 ? "No picture is one of these" : shown + of + (entries.length === 1 ? " picture" : " pictures");
    $("shown").value = `${without}${kind}${only === null ? "" : `, class ${only}`}, ${$("order").selectedOptions[0].text}.`;
    if ($("order").value !== order) {
      order = $("order").value;
      $("entries").append(...Array.from($("entries").children).reverse());
    }
  }

  // --- controls ------------------------------------------------------------------------

  const sliders = [$("slider"), $("also")];

  function set(value) {
    threshold = value;
    for (const slider of sliders) {
      slider.value = value === null ? 0.5 : shareOf(value);
      slider.setAttribute("aria-valuetext", value === null ? "none" : scoreText(value));
    }
    if (document.activeElement !== $("exact")) $("exact").value = value === null ? "" : Number(value.toPrecision(7));
    $("also-score").value = value === null ? "none" : scoreText(value);
    $("reset").disabled = value === initial;
    judge();
    show();
  }

  for (const slider of sliders) slider.addEventListener("input", () => set(scoreAt(Number(slider.value))));
  $("exact").addEventListener("input", () => {
    if (Number.isFinite($("exact").valueAsNumber)) set($("exact").valueAsNumber);
  });
  $("reset").addEventListener("click", () => set(initial));
  tools.addEventListener("change", show);
  tools.addEventListener("submit", (event) => event.preventDefault());

  document.documentElement.classList.add("scripted");
  set(initial);
})();
