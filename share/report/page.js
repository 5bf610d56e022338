// SPDX-License-Identifier: Apache-2.0
// Draws the time lines and rates of a report from the data that the page holds. All that it shows of them as text it
// sets as text, never as markup. A line is a slider: arrow keys move in time and between lines, and what was there is
// its value.
(function () {
"use strict";
const SVG = "http://www.w3.org/2000/svg";
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const HEIGHT = 26;
const costly = { spinning: true, yielding: true, ready: true }; // at least a pixel high

function element(name, properties, children) {
	const e = document.createElement(name);
	for (const [key, value] of Object.entries(properties || {}))
		e.setAttribute(key, value);
	for (const child of children || [])
		e.append(child);
	return e;
}

// Of each bin the share in a state, 0 to 1.
function shares(text, n) {
	const list = new Float64Array(n);
	for (let i = 0; i < n; i++)
		list[i] = (DIGITS.indexOf(text[2 * i]) * 64 + DIGITS.indexOf(text[2 * i + 1])) / 4095;
	return list;
}

function counts(text) {
	return text.split(",").map(Number);
}

// ---- text ----

function trimmed(value, digits) {
	return String(Number(value.toPrecision(digits)));
}

// A unit for times up to this one, so that all of them are alike.
function unitOf(ns) {
	return [[60e9, "min"], [1e9, "s"], [1e6, "ms"], [1e3, "µs"]].find(([size]) => ns >= 2 * size) || [1, "ns"];
}

function percent(share) {
	return share > 0 && share < 0.001 ? "< 0.1 %" : (share * 100).toFixed(share < 0.1 ? 1 : 0) + " %";
}

function rate(perSecond) {
	return perSecond >= 1e6 ? trimmed(perSecond / 1e6, 3) + " M/s" : perSecond >= 1e4 ? trimmed(perSecond / 1e3, 3) + " k/s" :
		trimmed(perSecond, 3) + " /s";
}

function spanText(data, from, until) {
	const unit = unitOf(data.length_ns), end = Math.min(until * data.width_ns, data.length_ns);
	const digits = Math.max(0, Math.ceil(-Math.log10(data.width_ns / unit[0])));
	return (from * data.width_ns / unit[0]).toFixed(digits) + " to " + (end / unit[0]).toFixed(digits) + " " + unit[1];
}

// ---- columns: one or more bins, so wide that they can be seen ----

function columnsOf(data, width) {
	const step = Math.max(1, Math.ceil(data.bins * 2 / Math.max(width, 1))), columns = [];
	for (let from = 0; from < data.bins; from += step)
		columns.push([from, Math.min(from + step, data.bins)]);
	return columns;
}

function sum(list, from, until) {
	let n = 0;
	for (let i = from; i < until; i++)
		n += list[i];
	return n;
}

// The share of time, where the last bin is shorter than the others.
function mean(data, list, from, until) {
	const bins = Math.min(until, data.length_ns / data.width_ns) - from;
	return bins > 0 ? Math.min(1, sum(list, from, until) / bins) : 0;
}

// Draws layers, each { class, heights }, on top of each other; a height is a share of the line's.
function draw(svg, data, columns, layers, width) {
	const tops = new Float64Array(columns.length).fill(HEIGHT);
	svg.setAttribute("viewBox", "0 0 " + width + " " + HEIGHT);
	svg.replaceChildren();
	for (const layer of layers) {
		const path = document.createElementNS(SVG, "path");
		let d = "";
		columns.forEach(([from, until], i) => {
			const x = from / data.bins * width, w = (until - from) / data.bins * width;
			let h = layer.heights[i] * HEIGHT;
			if (h > 0 && layer.visible)
				h = Math.max(h, 1);
			h = Math.min(h, tops[i]);
			if (h <= 0)
				return;
			tops[i] -= h;
			d += "M" + x.toFixed(2) + " " + tops[i].toFixed(2) + "h" + w.toFixed(2) + "v" + h.toFixed(2) + "h-" + w.toFixed(2) + "z";
		});
		path.setAttribute("class", layer.class);
		path.setAttribute("d", d);
		svg.append(path);
	}
}

// ---- a picture: rows with a label, a slider each, one axis and one place that says what is under the cursor ----

function axisOf(data, width) {
	const axis = element("div", { class: "axis", "aria-hidden": "true" }), unit = unitOf(data.length_ns), total = data.length_ns / unit[0];
	if (!(total > 0))
		return axis;
	let step = Math.pow(10, Math.floor(Math.log10(total)));
	const most = Math.max(2, width / 80);
	for (const part of [0.1, 0.2, 0.5, 1])
		if (total / (step * part) <= most) {
			step *= part;
			break;
		}
	const place = data.length_ns / (data.bins * data.width_ns);
	for (let i = 0; i * step <= total * 0.97; i++) {
		const tick = element("span", {}, [trimmed(i * step, 4) + (i ? "" : " " + unit[1])]);
		tick.style.left = i * step / total * place * 100 + "%";
		axis.append(tick);
	}
	return axis;
}

function slider(row, data) {
	return element("div", { class: "track", role: "slider", tabindex: "-1", "aria-label": row.name, "aria-valuemin": "0",
		"aria-valuemax": String(data.bins - 1), "aria-valuenow": "0", "aria-orientation": "horizontal", "aria-describedby": "keys-help" });
}

function picture(place, data, rows, name) {
	const known = document.getElementById("keys-help"); // one is enough on a page
	const help = element("p", { class: "hint", id: "keys-help" }, ["Keys: left and right move in time, up and down between lines, " +
		"Home and End to the ends. What is under the cursor or the pointer stands above the lines."]);
	const readout = element("p", { class: "readout", "aria-hidden": "true" }, [" "]);
	const cursor = element("div", { class: "cursor" });
	const group = element("div", { class: "rows", role: "group", "aria-label": name });
	let columns = [], axis = element("div"), active = 0, at = 0, width = 0;

	function show(i, column, focus) {
		rows[active].track.tabIndex = -1;
		active = Math.max(0, Math.min(i, rows.length - 1));
		at = Math.max(0, Math.min(column, columns.length - 1));
		const row = rows[active], [from, until] = columns[at];
		const text = spanText(data, from, until) + ": " + row.text(from, until);
		row.track.tabIndex = 0;
		row.track.setAttribute("aria-valuenow", String(from));
		row.track.setAttribute("aria-valuetext", text);
		readout.textContent = row.name + ", " + text;
		cursor.style.left = (from + until) / 2 / data.bins * 100 + "%";
		row.track.append(cursor);
		if (focus)
			row.track.focus();
	}

	function key(event) {
		const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], PageUp: [0, 10], PageDown: [0, -10],
			Home: [0, -Infinity], End: [0, Infinity] };
		const move = moves[event.key];
		if (!move || event.ctrlKey || event.altKey || event.metaKey)
			return;
		event.preventDefault();
		show(active + move[0], at + move[1], true);
	}

	function redraw() {
		const now = Math.round(rows[0].track.clientWidth);
		if (!now || now === width)
			return;
		width = now;
		columns = columnsOf(data, width);
		for (const row of rows)
			draw(row.svg, data, columns, row.layers(columns), width);
		const fresh = element("div", { class: "row" }, [element("div"), axisOf(data, width)]);
		axis.replaceWith(fresh);
		axis = fresh;
		at = Math.min(at, columns.length - 1);
		if (cursor.parentNode)
			show(active, at, false);
	}

	rows.forEach((row, i) => {
		row.track = slider(row, data);
		row.svg = document.createElementNS(SVG, "svg");
		row.svg.setAttribute("preserveAspectRatio", "none");
		row.svg.setAttribute("aria-hidden", "true");
		row.track.append(row.svg);
		row.track.addEventListener("pointermove", (event) => {
			const box = row.track.getBoundingClientRect(), bin = (event.clientX - box.left) / box.width * data.bins;
			show(i, columns.findIndex(([, until]) => bin < until), false);
		});
		row.track.addEventListener("focus", () => { if (i !== active || !cursor.parentNode) show(i, at, false); });
		group.append(element("div", { class: "row" }, [row.label, row.track]));
	});
	rows[0].track.tabIndex = 0;
	rows[0].track.setAttribute("aria-valuetext", "not moved yet");
	group.addEventListener("keydown", key);
	group.append(axis);
	place.replaceChildren(...(known ? [] : [help]), readout, group);
	readout.textContent = "Point at a line, or move along it with the arrow keys.";
	redraw();
	new ResizeObserver(redraw).observe(place);
}

function label(name, more) {
	const e = element("div", { class: "label", "aria-hidden": "true", title: name + " " + more }, [element("bdi", {}, [name])]);
	if (more)
		e.append(element("span", {}, [more]));
	return e;
}

// ---- time lines ----

function lineName(line) {
	if (line.vcpu !== undefined)
		return [line.vm, "vCPU " + line.vcpu];
	if (line.vm !== undefined)
		return [line.vm, line.n === 1 ? "another vCPU" : line.n + " vCPUs together"];
	return [line.n ? line.n + " other vCPUs together" : "vCPUs beyond those counted", ""];
}

function stateRow(data, line) {
	const list = data.order.filter(([state]) => line.states[state] !== undefined)
		.map(([state, text]) => ({ state, text, shares: shares(line.states[state], data.bins) }));
	return {
		layers: (columns) => list.map((s) => ({ class: "s-" + s.state, visible: costly[s.state],
			heights: columns.map(([from, until]) => mean(data, s.shares, from, until)) })),
		text: (from, until) => list.map((s) => [s.text, mean(data, s.shares, from, until)]).filter(([, share]) => share > 0)
			.map(([text, share]) => text + " " + percent(share)).join("; ") || "nothing recorded",
	};
}

function countRow(data, waits, most) {
	const list = Object.entries(waits);
	return {
		layers: (columns) => list.map(([event, bins]) => ({ class: "e-" + event, visible: true,
			heights: columns.map(([from, until]) => sum(bins, from, until) / (until - from) / most) })),
		text: (from, until) => list.map(([event, bins]) => event + " " + sum(bins, from, until)).join("; "),
	};
}

function lines(place, data) {
	const waits = data.lines.map((line) => Object.fromEntries(Object.entries(line.waits || {}).map(([event, text]) => [event, counts(text)])));
	let most = 1;
	for (const line of waits)
		for (let i = 0; i < data.bins; i++)
			most = Math.max(most, Object.values(line).reduce((n, bins) => n + bins[i], 0));
	const rows = data.lines.map((line, i) => {
		const [name, more] = lineName(line);
		const row = data.outcomes ? stateRow(data, line) : countRow(data, waits[i], most);
		return Object.assign(row, { name: more ? name + " " + more : name, label: label(name, more) });
	});
	if (rows.length)
		picture(place, data, rows, place.closest("section").querySelector("h3").textContent);
	else
		place.replaceChildren(element("p", { class: "note" }, ["Nothing was recorded."]));
}

// ---- rates: each line with a scale of its own ----

function rateRow(data, name, bins, cls) {
	const perSecond = (from, until) => {
		const ns = (Math.min(until * data.width_ns, data.length_ns) - from * data.width_ns) || data.width_ns;
		return sum(bins, from, until) / Math.max(ns, data.width_ns / 4) * 1e9;
	};
	const row = { name: name, label: label(name, "") };
	row.layers = (columns) => {
		const rates = columns.map(([from, until]) => perSecond(from, until)), most = Math.max(...rates) || 1;
		row.label.replaceChildren(element("bdi", {}, [name]), element("span", {}, ["up to " + rate(most)]));
		return [{ class: cls, visible: true, heights: rates.map((r) => r / most) }];
	};
	row.text = (from, until) => sum(bins, from, until) + ", " + rate(perSecond(from, until));
	return row;
}

function rates(place, data) {
	const rows = Object.entries(data.waits).map(([event, text]) => rateRow(data, event, counts(text), "e-rate"));
	const lost = counts(data.lost);
	if (sum(lost, 0, lost.length))
		rows.push(rateRow(data, "reported lost", lost, "e-lost"));
	if (rows.length)
		picture(place, data, rows, "Waits over time");
}

for (const place of document.querySelectorAll("[data-picture]")) {
	const data = JSON.parse(document.getElementById("h" + place.dataset.host + (place.dataset.picture === "states" ? "-states-data" : "-data")).textContent);
	(place.dataset.picture === "rates" ? rates : lines)(place, data);
}
}());
