"""The page: one HTML file with drawings of its own, nothing from elsewhere, for light and dark screens."""

import html
import re
import statistics

from . import rows

STYLE = """
:root { color-scheme: light dark; --back: #fbfbfa; --card: #fff; --ink: #1c1c1e; --faint: #6b6b70; --line: #dcdce0;
  --ours: #2f6fde; --library: #1a9a8a; --other: #d9822b; --bound: #9a9aa2; --good: #1f8a4c; --bad: #c8372d; }
@media (prefers-color-scheme: dark) { :root { --back: #141416; --card: #1d1d20; --ink: #ececef; --faint: #a0a0a8;
  --line: #36363b; --ours: #6fa0ff; --library: #45c9b6; --other: #f0a458; --bound: #77777f; --good: #52c985;
  --bad: #ff7a6e; } }
body { margin: 0 auto; max-width: 1180px; padding: 28px 20px 60px; background: var(--back); color: var(--ink);
  font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; margin: 0 0 2px; } h2 { font-size: 20px; margin: 34px 0 10px; }
h3 { font-size: 16px; margin: 0; } p { margin: 2px 0 10px; } .faint { color: var(--faint); font-size: 13px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(520px, 1fr)); gap: 14px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px 8px; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 13px; }
svg .faint { fill: var(--faint); font-size: 12px; } svg .axis { stroke: var(--line); stroke-width: 1; }
.ours { fill: var(--ours); } .library { fill: var(--library); } .other { fill: var(--other); } .bound { fill: var(--bound); }
.range { stroke: var(--ink); stroke-width: 1.5; opacity: .75; } .trend { fill: none; stroke: var(--ours); stroke-width: 2; }
.dot { fill: var(--ours); } table { border-collapse: collapse; width: 100%; font-size: 14px; }
td, th { border-bottom: 1px solid var(--line); padding: 4px 8px; text-align: right; font-variant-numeric: tabular-nums; }
td:first-child, th:first-child { text-align: left; } th { color: var(--faint); font-weight: 500; }
.kept { color: var(--good); font-weight: 600; } .missed { color: var(--bad); font-weight: 700; }
.key { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin: 0 5px 0 14px; }
.heat td, .heat th { text-align: center; border: 1px solid var(--back); }
"""


def number(value):
    """Three significant digits, thousands apart."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return "{:,.0f}".format(value)
    return "%.*f" % (0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4, value)


def escape(text):
    return html.escape(str(text))


def bars(entries, unit):
    """entries: (label, kind, [samples]). A bar to the median, a line from the least to the most."""
    left, width, line, right = 200, 560, 30, 125
    most = max(max(samples) for *_, samples in entries) or 1
    scale = (width - left - right) / most
    parts = ['<svg viewBox="0 0 %d %d" role="img">' % (width, line * len(entries) + 6)]
    parts.append('<line class="axis" x1="%d" y1="0" x2="%d" y2="%d"/>' % (left, left, line * len(entries)))
    for place, (label, kind, samples) in enumerate(entries):
        top, middle = place * line + 5, statistics.median(samples)
        parts.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (left - 8, top + 15, escape(label)))
        parts.append('<rect class="%s" x="%d" y="%d" width="%.1f" height="20" rx="2"/>' % (
            kind, left, top, max(1, middle * scale)))
        end = middle
        if len(samples) > 1:
            low, high = min(samples), max(samples)
            end = high
            parts.append('<path class="range" d="M%.1f %dH%.1fM%.1f %dv8M%.1f %dv8"/>' % (
                left + low * scale, top + 10, left + high * scale, left + low * scale, top + 6, left + high * scale, top + 6))
        parts.append('<text x="%.1f" y="%d">%s <tspan class="faint">%s</tspan></text>' % (
            left + end * scale + 7, top + 15, number(middle), escape(unit)))
    return "".join(parts) + "</svg>"


def sections(samples):
    cards = []
    for title, text, unit, less, wanted in rows.SECTIONS:
        entries = [(label, rows.kind(row), samples[row]) for row, label in wanted if samples.get(row)]
        if not entries:
            continue
        note = "Less is better." if less else "More is better."
        cards.append('<div class="card"><h3>%s</h3><p class="faint">%s %s</p>%s</div>' % (
            escape(title), escape(text), note, bars(entries, unit)))
    return '<div class="cards">%s</div>' % "".join(cards)


def promises(checked):
    lines = []
    for promise in checked:
        word = '<span class="kept">kept</span>' if promise["kept"] else '<span class="missed">missed</span>'
        lines.append("<tr><td>%s</td><td>%s</td><td>%s %s</td><td>%s</td></tr>" % (
            escape(promise["text"]), number(promise["value"]), promise["direction"], number(promise["limit"]), word))
    return ('<div class="card"><table><tr><th>promise</th><th>measured</th><th>limit</th><th></th></tr>%s</table></div>'
            % "".join(lines))


def history(runs):
    """A line per row over the runs, oldest first; each on an axis of its own that begins at 0."""
    cards = []
    for row, label in rows.HISTORY:
        points = [(run, run["medians"][row]) for run in runs if row in run["medians"]][-60:]
        if len(points) < 2:
            continue
        width, height, left, right = 560, 150, 46, 60
        most = max(value for _, value in points) * 1.08 or 1
        step = (width - left - right) / (len(points) - 1)
        places = [(left + index * step, height - 26 - value / most * (height - 40))
                  for index, (_, value) in enumerate(points)]
        parts = ['<svg viewBox="0 0 %d %d" role="img">' % (width, height)]
        for share in (0, 0.5, 1):
            y = height - 26 - share * (height - 40)
            parts.append('<line class="axis" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>' % (left, y, width - right, y))
            parts.append('<text class="faint" x="%d" y="%.1f" text-anchor="end">%s</text>' % (
                left - 6, y + 4, number(share * most)))
        parts.append('<polyline class="trend" points="%s"/>' % " ".join("%.1f,%.1f" % place for place in places))
        for (x, y), (run, value) in zip(places, points):
            parts.append('<circle class="dot" cx="%.1f" cy="%.1f" r="3"><title>%s %s: %s</title></circle>' % (
                x, y, escape(run["time"][:16]), escape(run["commit"]), number(value)))
        parts.append('<text x="%.1f" y="%.1f">%s</text>' % (places[-1][0] + 8, places[-1][1] + 4, number(points[-1][1])))
        for place, anchor, run in ((left, "start", points[0][0]), (width - right, "end", points[-1][0])):
            parts.append('<text class="faint" x="%d" y="%d" text-anchor="%s">%s %s</text>' % (
                place, height - 8, anchor, escape(run["time"][:10]), escape(run["commit"])))
        cards.append('<div class="card"><h3>%s</h3>%s</svg></div>' % (escape(label), "".join(parts)))
    return cards and '<h2>Over time</h2><div class="cards">%s</div>' % "".join(cards) or ""


WAN = re.compile(r"wan\.([a-z]+)_(\d+)ms_loss([\d.]+)_queue(\d+)k$")


def wide_area(samples):
    """A table of wide-area paths, coloured by the share of the path's rate."""
    cells, columns = {}, []
    for row, values in samples.items():
        match = WAN.match(row)
        if not match:
            continue
        name, trip, loss, queue = match.groups()
        if name not in columns:
            columns.append(name)
        cells.setdefault((float(trip), float(loss), int(queue)), {})[name] = statistics.median(values)
    if not cells:
        return ""
    lines = ["<tr><th>round trip</th><th>loss</th><th>queue</th>%s</tr>" % "".join(
        "<th>%s</th>" % escape(name) for name in columns)]
    for (trip, loss, queue), values in sorted(cells.items()):
        cols = ""
        for name in columns:
            value = values.get(name)
            share = min(1, (value or 0) / 1000)
            cols += '<td style="background: hsl(%d 60%% 45%% / .55)">%s</td>' % (
                share * 130, "" if value is None else number(value))
        lines.append("<tr><td>%g ms</td><td>%g %%</td><td>%d KiB</td>%s</tr>" % (trip, loss, queue, cols))
    return ('<h2>Wide-area paths</h2><p class="faint">1 Gbit/s in virtual time, Mbit/s of payload after the first two '
            'seconds; the same seed gives the same numbers.</p><div class="card"><table class="heat">%s</table></div>'
            % "".join(lines))


def table(samples):
    lines = ["<tr><th>row</th><th>median</th><th>least</th><th>most</th><th>samples</th></tr>"]
    for row, values in sorted(samples.items()):
        lines.append("<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%d</td></tr>" % (
            escape(row), number(statistics.median(values)), number(min(values)), number(max(values)), len(values)))
    return '<h2>All numbers</h2><div class="card"><table>%s</table></div>' % "".join(lines)


def page(run, samples, checked, runs):
    """The whole page. run: what is known of this run; samples: {row: [numbers]}; runs: the history, oldest first."""
    keys = "".join('<span class="key" style="background: var(--%s)"></span>%s' % pair for pair in (
        ("ours", "this library"), ("library", "its C interface"), ("other", "others"), ("bound", "what bounds all")))
    kept = sum(promise["kept"] for promise in checked)
    ratios = ["<tr><td>%s</td><td>%s</td><td>%s to %s</td></tr>" % (
        escape(row.partition(".")[2].replace("_", " ")), number(statistics.median(values)), number(min(values)),
        number(max(values))) for row, values in sorted(samples.items()) if row.startswith("ratio.")]
    return "".join([
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        "<title>Benchmarks of swift-zerotier</title><style>%s</style>" % STYLE,
        "<h1>Benchmarks of swift-zerotier</h1>",
        '<p class="faint">%s, commit %s. %s. %s</p>' % tuple(
            escape(run[key]) for key in ("time", "commit", "machine", "form")),
        '<p class="faint">Bars end at the median; the thin line goes from the least to the most.%s</p>' % keys,
        "<h2>Promises: %d of %d kept</h2>" % (kept, len(checked)), promises(checked),
        "<h2>Numbers</h2>", sections(samples),
        ratios and '<h2>Ratios of one run</h2><div class="card"><table><tr><th>ratio</th><th>median</th><th>rounds</th>'
        '</tr>%s</table></div>' % "".join(ratios) or "",
        wide_area(samples), history(runs), table(samples), "</html>"])
