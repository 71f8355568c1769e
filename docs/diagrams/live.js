// The state machines and recorded traces of machines.js, to be clicked through.
// Rules of this file: nothing is loaded, and nothing is kept; a machine moves by the rows of its table and in no other
// way; everything that a mouse does a keyboard does too, and every change is said in words (role=status).
"use strict";

(() => {
  const WIDTH = 800, LAYER = 92, HIGH = 34, TOP = 30;
  const SVG = "http://www.w3.org/2000/svg";
  const data = window.CODEX_OAUTH_MACHINES;

  // -- elements ----------------------------------------------------------------------------------------

  function element(name, attributes, ...children) {
    return filled(document.createElement(name), attributes, children);
  }

  function drawn(name, attributes, ...children) {
    return filled(document.createElementNS(SVG, name), attributes, children);
  }

  function filled(made, attributes, children) {
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "click") made.addEventListener("click", value);
      else if (value === true) made.setAttribute(key, "");
      else if (value !== false && value !== null) made.setAttribute(key, String(value));
    }
    made.append(...children);
    return made;
  }

  // -- where the states stand --------------------------------------------------------------------------

  // Live states in layers, by how many moves each is from the first; the ends in the last row.
  function places(machine) {
    const layer = new Map([[machine.initial, 0]]);
    const waiting = [machine.initial];
    for (const state of waiting) {
      for (const [, source, dest] of machine.rows) {
        if (source === state && !layer.has(dest) && !machine.final.includes(dest)) {
          layer.set(dest, layer.get(state) + 1);
          waiting.push(dest);
        }
      }
    }
    const depth = 1 + Math.max(...layer.values());
    machine.final.forEach((state) => layer.set(state, depth));
    const found = new Map();
    for (const [state, at] of layer) {
      const row = [...layer.keys()].filter((other) => layer.get(other) === at);
      const lean = row.length === 1 && at % 2 ? 26 : 0; // so that a move does not run through a state
      found.set(state, {
        x: ((row.indexOf(state) + 0.5) * WIDTH) / row.length + lean,
        y: TOP + at * LAYER,
        half: Math.min(WIDTH / row.length / 2 - 4, 16 + state.length * 3.9),
      });
    }
    return found;
  }

  // The moves between two states as one: [source, dest] with every trigger of it.
  function moves(machine) {
    const found = new Map();
    for (const [trigger, source, dest] of machine.rows) {
      const key = `${source} ${dest}`;
      if (!found.has(key)) found.set(key, { source, dest, triggers: [] });
      found.get(key).triggers.push(trigger);
    }
    return [...found.values()];
  }

  // A curve from one state to another, bent to its right, so that the way back is another one.
  function curve(from, to) {
    const dx = to.x - from.x, dy = to.y - from.y, length = Math.hypot(dx, dy) || 1;
    const bend = Math.min(46, 12 + length * 0.09);
    const mid = { x: (from.x + to.x) / 2 - (dy / length) * bend, y: (from.y + to.y) / 2 + (dx / length) * bend };
    const at = (t) => ({
      x: (1 - t) ** 2 * from.x + 2 * t * (1 - t) * mid.x + t * t * to.x,
      y: (1 - t) ** 2 * from.y + 2 * t * (1 - t) * mid.y + t * t * to.y,
    });
    const within = (point, place) =>
      Math.abs(point.x - place.x) <= place.half && Math.abs(point.y - place.y) <= HIGH / 2;
    let start = 0, end = 1;
    while (start < 0.5 && within(at(start), from)) start += 0.01;
    while (end > 0.5 && within(at(end), to)) end -= 0.01;
    const points = [];
    for (let i = 0; i <= 24; i += 1) points.push(at(start + ((end - start) * i) / 24));
    const path = points.map((p, i) => `${i ? "L" : "M"}${p.x.toFixed(1)} ${p.y.toFixed(1)}`).join("");
    return { path, label: at(start + (end - start) * 0.55) };
  }

  // -- the drawing -------------------------------------------------------------------------------------

  let drawings = 0;

  // `now` is the state; `last` the move that led to it, or null; `choose(dest)` is called for a click, if there is one.
  function drawing(machine, now, last, choose) {
    const at = places(machine);
    const height = Math.max(...[...at.values()].map((place) => place.y)) + HIGH / 2 + 12;
    drawings += 1;
    const marker = (kind) =>
      drawn("marker", {
        id: `arrow-${drawings}-${kind}`, class: kind, viewBox: "0 0 8 8", refX: 7, refY: 4,
        markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto",
      }, drawn("path", { d: "M0 0L8 4L0 8z" }));
    const lines = [], labels = [], nodes = [];
    for (const move of moves(machine)) {
      const isLast = last !== null && last.source === move.source && last.dest === move.dest;
      const isNext = choose !== null && move.source === now;
      if (machine.final.includes(move.dest) && !isLast && !isNext) continue; // from nearly every state
      const kind = isLast ? "last" : isNext ? "next" : "other";
      const shape = curve(at.get(move.source), at.get(move.dest));
      lines.push(drawn("path", {
        class: `move ${kind}`, d: shape.path, "marker-end": `url(#arrow-${drawings}-${kind})`,
      }));
      if (isLast || isNext) {
        const text = isLast && !isNext ? last.trigger : move.triggers.join(" | ");
        labels.push(drawn("text", { class: `label ${kind}`, x: shape.label.x, y: shape.label.y }, text));
      }
    }
    for (const [state, place] of at) {
      const reached = choose !== null && machine.rows.some((row) => row[1] === now && row[2] === state);
      const kind = `${state === now ? " now" : ""}${reached ? " reached" : ""}${machine.final.includes(state) ? " end" : ""}`;
      const box = drawn("rect", {
        x: place.x - place.half, y: place.y - HIGH / 2, width: 2 * place.half, height: HIGH, rx: 8,
      });
      const text = drawn("text", { x: place.x, y: place.y + 4 }, state);
      nodes.push(drawn("g", {
        class: `state${kind}`, "data-state": state, click: reached ? () => choose(state) : () => {},
      }, box, text));
    }
    const about = `The states of “${machine.title}”. Now: ${now}.`;
    return drawn("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": about },
      drawn("defs", {}, marker("other"), marker("next"), marker("last")), ...lines, ...nodes, ...labels);
  }

  // -- a machine ---------------------------------------------------------------------------------------

  function Machine(machine, into) {
    const past = []; // {trigger, source, dest}
    const now = () => (past.length ? past[past.length - 1].dest : machine.initial);
    const picture = element("div", { class: "live-picture" });
    const told = element("p", { class: "live-told", role: "status" });
    const history = element("ol", { class: "live-history" });
    const table = element("div", { class: "live-table", tabindex: 0, role: "region", "aria-label": "States and events" });
    const back = element("button", { type: "button", class: "live-back", click: () => { past.pop(); show(); } }, "Back");
    const again = element("button", { type: "button", class: "live-again", click: () => { past.length = 0; show(); } }, "Start again");

    function fire(trigger) {
      const row = machine.rows.find((each) => each[0] === trigger && each[1] === now());
      if (row === undefined) return;
      past.push({ trigger, source: row[1], dest: row[2] });
      show();
      const first = table.querySelector(".current button"); // the one that was pressed is gone
      if (first !== null) first.focus({ preventScroll: true });
      else again.focus({ preventScroll: true });
    }

    function choose(dest) {
      fire(machine.rows.find((row) => row[1] === now() && row[2] === dest)[0]);
    }

    function cell(state, trigger) {
      const row = machine.rows.find((each) => each[0] === trigger && each[1] === state);
      if (row === undefined) return element("td", {});
      if (state !== now()) return element("td", { class: "target" }, row[2]);
      const label = `${trigger}: to ${row[2]}`;
      return element("td", {}, element("button", {
        type: "button", "data-trigger": trigger, "aria-label": label, click: () => fire(trigger),
      }, row[2]));
    }

    function show() {
      const state = now(), ended = machine.final.includes(state);
      const taken = machine.rows.filter((row) => row[1] === state).map((row) => row[0]);
      const last = past.length ? past[past.length - 1] : null;
      const came = last === null ? "" : `${last.trigger}: ${last.source} → ${last.dest}. `;
      told.textContent = came + (ended ? `The machine has ended: ${state}.` : `State ${state}. It takes ${taken.join(", ")}.`);
      picture.replaceChildren(drawing(machine, state, last, choose));
      history.replaceChildren(...past.map((move) => element("li", {}, `${move.trigger} → ${move.dest}`)));
      back.disabled = again.disabled = past.length === 0;
      const head = element("tr", {}, element("th", { scope: "col" }, "State"),
        ...machine.triggers.map((trigger) => element("th", { scope: "col" }, trigger)));
      const body = machine.live.map((each) => element("tr",
        { class: each === state ? "current" : null, "aria-current": each === state ? "step" : null },
        element("th", { scope: "row" }, each), ...machine.triggers.map((trigger) => cell(each, trigger))));
      table.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
    }

    into.replaceChildren(picture, told, element("p", {}, back, " ", again), table, history);
    show();
  }

  // -- a trace -----------------------------------------------------------------------------------------

  function Trace(trace, into) {
    const machine = data.machines.find((each) => each.name === trace.machine);
    let at = 0; // how many steps were made
    const picture = element("div", { class: "live-picture" });
    const told = element("p", { class: "live-told", role: "status" });
    const go = (to) => () => { at = Math.max(0, Math.min(trace.steps.length, to())); show(); };
    const back = element("button", { type: "button", class: "live-back", click: go(() => at - 1) }, "Step back");
    const next = element("button", { type: "button", class: "live-next", click: go(() => at + 1) }, "Next step");
    const list = element("ol", { class: "live-steps" });

    function show() {
      const step = at ? trace.steps[at - 1] : null;
      const before = at > 1 ? trace.steps[at - 2].state : machine.initial;
      const state = step ? step.state : machine.initial;
      const last = step && step.trigger !== null ? { trigger: step.trigger, source: before, dest: state } : null;
      picture.replaceChildren(drawing(machine, state, last, null));
      told.textContent = step
        ? `Step ${at} of ${trace.steps.length}, after ${step.at.toFixed(2)} s: ${step.text.join("; ")}. State ${state}.`
        : `Before the first of ${trace.steps.length} steps. State ${state}.`;
      back.disabled = at === 0;
      next.disabled = at === trace.steps.length;
      list.replaceChildren(...trace.steps.map((each, index) => element("li", {
        class: index === at - 1 ? "current" : null, "aria-current": index === at - 1 ? "step" : null,
      }, element("button", { type: "button", click: go(() => index + 1) },
        `${each.at.toFixed(2)} s  ${each.text.join("; ")} → ${each.state}`))));
    }

    into.replaceChildren(picture, told, element("p", {}, back, " ", next), list);
    show();
  }

  // -- the page ----------------------------------------------------------------------------------------

  // A choice of one of `items`, and the place where it is shown.
  function chooser(place, label, items, make) {
    const into = element("div", { class: "live-shown" });
    const select = element("select", {}, ...items.map((item) => element("option", { value: item.name }, item.title)));
    select.addEventListener("change", () => make(items[select.selectedIndex], into));
    place.replaceChildren(element("label", {}, `${label} `, select), into);
    make(items[0], into);
  }

  chooser(document.getElementById("machines"), "Machine:", data.machines, Machine);
  chooser(document.getElementById("traces"), "Trace:", data.traces, Trace);
})();
