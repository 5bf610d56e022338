# SPDX-License-Identifier: Apache-2.0
# Opens pages that 'kvmwait report --html' wrote in Chromium and says of each thing that must hold: verdict, tab, name,
# tab, why. The tables go out as JSON, for others to compare.
#   check.py DIRECTORY WHAT...      WHAT: all that tests/html/run asks for, see the functions check_*
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser  # noqa: E402

directory = os.path.abspath(sys.argv[1])

OVERFLOW = """(() => {
	const root = document.documentElement, wide = [];
	for (const e of document.querySelectorAll('body *')) {
		if (e.closest('.scroll') && !e.matches('.scroll') || e.closest('.skip, .patterns, svg') || e.closest('.label'))
			continue;
		const box = e.getBoundingClientRect();
		if (box.right > innerWidth + 1 || box.left < -1)
			wide.push(e.tagName + '.' + e.getAttribute('class') + ' ' + Math.round(box.left) + ' to ' + Math.round(box.right));
	}
	if (root.scrollWidth > innerWidth)
		wide.push('the page: ' + root.scrollWidth);
	return wide.slice(0, 5).join('; ');
})()"""

# WCAG 2: of every text its colour against the nearest background.
CONTRAST = """(() => {
	const bad = new Set();
	let texts = 0;
	const parse = (c) => c.match(/[\\d.]+/g).map(Number);
	const light = (c) => { const [r, g, b] = parse(c).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.data.trim() || e.closest('script, style, svg') || !e.checkVisibility())
			continue;
		let back = e;
		while (back && (parse(getComputedStyle(back).backgroundColor)[3] === 0))
			back = back.parentElement;
		const a = light(getComputedStyle(e).color), b = light(back ? getComputedStyle(back).backgroundColor : 'rgb(255,255,255)');
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		texts++;
		if (ratio < 4.5)
			bad.add(e.tagName + '.' + e.className + ' ' + ratio.toFixed(2));
	}
	return texts < 50 ? 'only ' + texts + ' texts' : [...bad].slice(0, 5).join('; ');
})()"""

# What makes a page more than text: none of it comes from records.
MARKUP = """(() => {
	const found = [];
	for (const e of document.querySelectorAll('*')) {
		if (['IMG', 'IFRAME', 'OBJECT', 'EMBED', 'LINK', 'FORM', 'BASE', 'B', 'FRAME', 'INPUT', 'X'].includes(e.tagName.toUpperCase()))
			found.push(e.tagName);
		for (const a of e.attributes)
			if (a.name.startsWith('on') || /^\\s*javascript:/i.test(a.value))
				found.push(e.tagName + ' ' + a.name);
	}
	const scripts = [...document.scripts].filter((s) => s.type !== 'application/json');
	if (scripts.length !== 1)
		found.push(scripts.length + ' scripts');
	if (document.title !== 'kvmwait report')
		found.push('the title is ' + document.title);
	return found.join('; ');
})()"""

TABLES = """(() => [...document.querySelectorAll('article')].map((article) => {
	const tables = {};
	for (const body of article.querySelectorAll('[data-table]')) {
		const heads = [...body.closest('table').tHead.rows[0].cells].map((c) => c.textContent.trim());
		let group = '';
		tables[body.dataset.table] = [];
		for (const row of body.rows) {
			const o = {};
			if (row.className === 'group') {
				group = row.textContent.trim();
				continue;
			}
			if (group)
				o.group = group;
			[...row.cells].forEach((cell, i) => {
				const data = cell.querySelector('data');
				if (!cell.querySelector('svg'))
					o[heads[i]] = data ? Number(data.value) : cell.tagName === 'TH' || cell.className === 't' ? cell.textContent.trim() : Number(cell.textContent);
			});
			tables[body.dataset.table].push(o);
		}
	}
	return tables;
}))()"""

# The pictures hold what the tables do, but for what two digits a bin leave out.
DATA = """(() => [...document.querySelectorAll('article')].map((article) => {
	const data = JSON.parse(article.querySelector('script').textContent);
	const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
	const sum = (text) => text.split(',').reduce((n, x) => n + Number(x), 0);
	const states = {};
	for (const line of data.lines)
		for (const [state, text] of Object.entries(line.states))
			for (let i = 0; i < text.length; i += 2)
				states[state] = (states[state] || 0) + (digits.indexOf(text[i]) * 64 + digits.indexOf(text[i + 1])) / 4095 * data.width_ns * (line.n || 1);
	return { states, waits: Object.fromEntries(Object.entries(data.waits).map(([k, v]) => [k, sum(v)])), lost: sum(data.lost),
		error_ns: data.bins * data.width_ns / 4095 * data.lines.reduce((n, line) => n + (line.n || 1), 0), lines: data.lines.length,
		names: data.lines.map((line) => line.vm) };
}))()"""

LOOKS = """(() => [...document.querySelectorAll('.legend')].map((l) => [l.closest('section').querySelector('h3').textContent,
	[...l.querySelectorAll('.key rect')].map((r) => getComputedStyle(r).fill)]))()"""


def say(name, why=""):
    print("%s\t%s\t%s" % ("bad" if why else "ok", name, str(why).replace("\n", " ")[:1500]))


def quiet(b, path, name):
    asked = [u for u in b.requests() if u != "file://" + path]
    say(name + ": asks the network for nothing", "; ".join(asked))
    say(name + ": no complaint of the browser", "; ".join(b.complaints()))


def check_widths(b, page):
    path = os.path.join(directory, page + ".html")
    for width in (400, 2000):
        for dark in (False, True):
            name = "%s at %d px, %s" % (page, width, "dark" if dark else "light")
            b.open(path, width, dark=dark)
            quiet(b, path, name)
            say(name + ": nothing sticks out", b.evaluate(OVERFLOW))
            say(name + ": contrast of text 4.5 or more", b.evaluate(CONTRAST))
            say(name + ": pictures are drawn", "" if b.evaluate(
                "[...document.querySelectorAll('.track svg path')].some((p) => p.getAttribute('d').length > 20) && "
                "document.querySelectorAll('.nojs').length === 0") else "no path")
            b.picture(os.path.join(directory, "%s-%d-%s.png" % (page, width, "dark" if dark else "light")))
    b.open(path, 700, dark=True, media="print")
    say(page + " printed is dark on light", "" if b.evaluate("getComputedStyle(document.documentElement).backgroundColor") ==
        "rgb(255, 255, 255)" else "it is not")
    say(page + " printed: contrast", b.evaluate(CONTRAST))


def check_hostile(b, page):
    path = os.path.join(directory, page + ".html")
    b.open(path, 1280)
    quiet(b, path, page)
    say(page + ": no name has become markup", b.evaluate(MARKUP))
    say(page + ": nothing sticks out", b.evaluate(OVERFLOW))
    b.open(path, 400)
    say(page + " at 400 px: nothing sticks out", b.evaluate(OVERFLOW))
    b.picture(os.path.join(directory, page + ".png"))


def check_policy(b, page):
    b.open(os.path.join(directory, page + ".html"), 1280)
    b.evaluate("""(() => { window.refused = []; document.addEventListener('securitypolicyviolation', (e) => refused.push(e.effectiveDirective));
        const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);
        const i = document.createElement('img'); i.src = 'data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA='; document.body.append(i);
        const d = document.createElement('div'); d.setAttribute('onclick', 'window.ran = 1'); document.body.append(d); d.click();
        return fetch('data:text/plain,x').catch(() => 1); })()""")
    seen = b.evaluate("new Promise((done) => setTimeout(() => done([window.ran || 0, ...refused].join(' ')), 100))")
    say("the page's policy refuses scripts, handlers, pictures and the network",
        "" if seen.startswith("0 ") and all(w in seen for w in ("script-src-elem", "script-src-attr", "img-src", "connect-src")) else seen)


def check_keys(b, page):
    b.open(os.path.join(directory, page + ".html"), 1280)
    here = "document.activeElement"
    b.key("Tab")
    say("keys: the first stop skips to the report", "" if b.evaluate(here + ".className") == "skip" else b.evaluate(here + ".outerHTML"))
    stops = []
    for _ in range(60):
        b.key("Tab")
        stops.append(b.evaluate("(%s.getAttribute('role') || %s.tagName) + ' ' + (%s.getAttribute('aria-label') || %s.textContent)"
                                % (here, here, here, here)))
        if stops[-1].startswith("BODY"):
            break
    say("keys: each picture is one stop", "" if sum(s.startswith("slider") for s in stops) == 2 else "; ".join(stops))
    say("keys: every table and every detail can be reached", "" if sum(s.startswith("region") for s in stops) >= 5 and
        sum(s.startswith("SUMMARY") for s in stops) >= 3 else "; ".join(stops))
    say("keys: stops come in the order of the page", "" if b.evaluate(
        "[...document.querySelectorAll('[tabindex]')].every((e) => e.tabIndex <= 0)") else "a tabindex above 0")
    b.evaluate("document.querySelector('.track').focus()")
    told = []
    for key in ("Home", "ArrowRight", "End", "ArrowLeft", "Home", "ArrowDown"):
        b.key(key)
        told.append(b.evaluate(here + ".getAttribute('aria-label') + ': ' + " + here + ".getAttribute('aria-valuetext')"))
    # the cursor is a line of the one column; Home and End are its ends, and down goes to another line at the same time
    say("keys: move in time", "" if len(set(told[:4])) == 4 and told[4] == told[0] else "; ".join(told))
    say("keys: move between lines", "" if told[5].split(": ")[0] != told[4].split(": ")[0] and
        told[5].split(": ")[1] == told[4].split(": ")[1] else "; ".join(told))
    say("keys: each picture is still one stop", "" if b.evaluate(
        "[...document.querySelectorAll('.picture')].every((p) => [...p.querySelectorAll('.track')].filter((t) => t.tabIndex === 0).length === 1)")
        else "it is not")
    say("keys: what is told is shown", "" if b.evaluate("document.querySelector('.readout').textContent") ==
        told[5].replace(": ", ", ", 1) else b.evaluate("document.querySelector('.readout').textContent"))
    say("keys: the place is seen", "" if float(b.evaluate("getComputedStyle(%s).outlineWidth" % here)[:-2]) >= 2 else "no outline")


def check_access(b, page):
    b.open(os.path.join(directory, page + ".html"), 1280)
    nodes = [n for n in b.accessible() if not n.get("ignored")]
    roles = {}
    for n in nodes:
        roles.setdefault(n["role"]["value"], []).append(n)
    missing = [r for r in ("banner", "navigation", "main", "contentinfo", "article") if len(roles.get(r, [])) != 1]
    say("screen reader: landmarks", "; ".join(missing))
    named = ("slider", "region", "link", "group", "article", "list")
    nameless = [n["role"]["value"] for r in ("slider", "region", "link", "article", "navigation") for n in roles.get(r, [])
                if not n.get("name", {}).get("value", "").strip()]
    say("screen reader: what is reached has a name", "; ".join(nameless) or ("" if all(r in roles for r in named) else "a role is missing"))
    bare = [n["name"]["value"] for n in roles.get("slider", []) if not any(p["name"] == "valuetext" for p in n.get("properties", []))
            and not n.get("value", {}).get("value")]
    say("screen reader: a line says its value", "; ".join(bare))
    levels = b.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))")
    say("screen reader: no heading level is left out", "" if levels[0] == 1 and all(y <= x + 1 for x, y in zip(levels, levels[1:])) else levels)
    say("screen reader: pictures are not read as such", "" if not any(r in roles for r in ("image", "img", "SvgRoot")) else "a picture is")
    say("tables have headings for columns and rows", b.evaluate(
        "[...document.querySelectorAll('table')].filter((t) => !t.tHead || [...t.tBodies[0].rows].some((r) => r.cells[0].tagName !== 'TH' || "
        "!r.cells[0].scope) || [...t.tHead.rows[0].cells].some((c) => c.scope !== 'col')).length || ''"))
    for name, fills in b.evaluate(LOOKS):
        say(page + ": states differ by more than colour: " + name, "" if len(set(fills)) == len(fills) >= 6 and
            sum("url" in f for f in fills) >= len(fills) - 2 else "; ".join(fills))


def check_without_scripts(b, page):
    b.open(os.path.join(directory, page + ".html"), 1280, scripts=False)
    seen = b.evaluate("[document.querySelectorAll('.nojs').length, document.querySelectorAll('.track').length, "
                      "document.querySelectorAll('tbody[data-table=vcpus] tr').length > 3, document.querySelectorAll('.bar rect').length > 10].join(' ')")
    say("without JavaScript: the tables are there, and a word on the pictures", "" if seen == "1 0 true true" else seen)


def check_tables(b, page):
    b.open(os.path.join(directory, page + ".html"), 1280)
    tables, data = b.evaluate(TABLES), b.evaluate(DATA)
    with open(os.path.join(directory, page + ".tables.json"), "w", encoding="utf-8") as f:
        json.dump(tables, f, indent=1)
    names = {"spinning": "spinning", "yielding": "yielding", "ready": "ready", "blocked": "halted, blocked",
             "polled": "halted, polled", "unwaited": "halted, KVM did not wait"}
    for i, (t, d) in enumerate(zip(tables, data)):
        total = t["all"][0]
        wrong = ["%s %.0f, %d" % (s, d["states"].get(s, 0), total[text]) for s, text in names.items()
                 if text in total and abs(d["states"].get(s, 0) - total[text]) > d["error_ns"]]
        wrong += ["%s %d" % (e, n) for e, n in d["waits"].items() if total[e] != n]
        say("%s %d: the pictures hold what the tables do" % (page, i), "; ".join(wrong))


# The vCPU that ran in the third quarter of the time alone: its line says so.
def check_states(b, page):
    b.open(os.path.join(directory, page + ".html"), 1280)
    for at, text in ((0.55, "run 100 %"), (0.25, "run < 0.1 %"), (0.95, "run < 0.1 %")):
        said = b.evaluate("""(() => { const track = [...document.querySelectorAll('[data-picture=states] .track')][1], box = track.getBoundingClientRect();
            track.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + %f * box.width }));
            return track.getAttribute('aria-valuetext'); })()""" % at)
        say("%s: the state at %.2f of the time" % (page, at), "" if said.endswith(text) else said)


def check_opens(b, page):
    path = os.path.join(directory, page + ".html")
    b.open(path, 1280)
    quiet(b, path, page)
    say(page + ": nothing sticks out", b.evaluate(OVERFLOW))


with Browser() as browser:
    for what in sys.argv[2:]:
        check, page_name = what.split(":")
        globals()["check_" + check](browser, page_name)
