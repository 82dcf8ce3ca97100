// The page of the simulated exchange: asks once a second, draws what is new, and sends the buttons' wishes.
import { byId, chart, clockTime, dateTime, make, sparkline, table, tidy, tone } from "/sim/draw.js";

const POLL_MS = 1000, POINTS_MAX = 300, FIRST = 8;
const trails = new Map();
const tiles = new Map();
let chosen = "BTCUSDT", all = false, catalogue = [];

async function ask(method, path, body) {
  const answer = await fetch(path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  const json = await answer.json();
  if (!answer.ok) throw new Error(json.msg ? `${json.code}: ${json.msg}` : json.error);
  return json;
}

async function wish(path, body, done) {
  try {
    await ask("POST", path, body);
    byId("said").textContent = done;
  } catch (error) {
    byId("said").textContent = `refused: ${error.message}`;
  }
  await look();
}

function note(view) {
  for (const [symbol, price] of Object.entries(view.prices)) {
    const trail = trails.get(symbol) ?? trails.set(symbol, []).get(symbol);
    const before = trail.at(-1);
    if (before && before[0] > view.serverTime) trail.length = 0; // the clock was turned back, or a reset
    trail.push([view.serverTime, price.last]);
    if (trail.length > POINTS_MAX) trail.shift();
  }
}

const percent = (trail) => {
  const change = trail.length ? (Number(trail.at(-1)[1]) / Number(trail[0][1]) - 1) * 100 : 0;
  return `${change >= 0 ? "+" : "−"}${Math.abs(change).toFixed(2)} %`;
};

function drawTiles(view) {
  const held = new Set(view.positions.map((row) => row.symbol));
  Object.keys(view.prices).forEach((symbol, index) => {
    let tile = tiles.get(symbol);
    if (!tile) {
      const name = make("span", { text: symbol, className: "name" }), change = make("span", { className: "change" });
      const price = make("div", { className: "price" }), line = sparkline();
      const top = make("div", { className: "top" }, [name, change]);
      const button = make("button", { type: "button", className: "tile", "data-symbol": symbol }, [top, price, line]);
      button.addEventListener("click", () => { chosen = symbol; look(); });
      byId("tiles").append(button);
      tiles.set(symbol, (tile = { button, change, price, line }));
    }
    tile.button.hidden = !(all || index < FIRST || held.has(symbol) || symbol === chosen);
    tile.button.setAttribute("aria-pressed", String(symbol === chosen));
    if (tile.button.hidden) return;
    const trail = trails.get(symbol);
    tile.change.textContent = percent(trail);
    tile.change.className = `change ${tone(percent(trail).replace("−", "-").replace(" %", ""))}`;
    tile.price.textContent = tidy(view.prices[symbol].last);
    chart(tile.line, trail, { width: 120, height: 26, area: false });
  });
  byId("show-all").textContent = all ? "show fewer" : `show all ${Object.keys(view.prices).length}`;
}

function drawChosen(view) {
  const { last, mark } = view.prices[chosen], trail = trails.get(chosen);
  const prices = trail.map(([, price]) => price).sort((one, other) => Number(one) - Number(other));
  byId("symbol").textContent = byId("fault-symbol").textContent = chosen;
  byId("last").textContent = tidy(last);
  byId("mark").textContent = `mark ${tidy(mark)}`;
  byId("low").textContent = `low ${tidy(prices[0])}`;
  byId("high").textContent = `high ${tidy(prices.at(-1))}`;
  byId("span").textContent = `${clockTime(trail[0][0])} – ${clockTime(trail.at(-1)[0])}`;
  chart(byId("chart"), trail, { width: 640, height: 200, area: true });
}

function drawBook({ book, prices }) {
  const most = Math.max(...[...book.bids, ...book.asks].map(([, quantity]) => Number(quantity)), 1e-9);
  const level = (side) => ([price, quantity]) => {
    const share = `--share: ${((Number(quantity) / most) * 100).toFixed(1)}%`;
    return make("tr", { className: side, style: share }, [
      make("td", { text: tidy(price), className: side === "buy" ? "up" : "down" }), make("td", { text: quantity }),
    ]);
  };
  const middle = make("tr", { className: "middle" }, [make("td", { text: tidy(prices[chosen].last), colspan: 2 })]);
  byId("book").replaceChildren(...book.asks.toReversed().map(level("sell")), middle, ...book.bids.map(level("buy")));
  const [ask] = book.asks[0] ?? [], [bid] = book.bids[0] ?? [];
  byId("spread").textContent = ask && bid ? `spread ${((Number(ask) / Number(bid) - 1) * 100).toFixed(3)} %` : "one side is empty";
}

const ACCOUNT = [["wallet", "wallet"], ["available", "available"], ["unrealized", "unrealised"], ["margin", "margin in use"], ["mode", "position mode"], ["streams", "streams open"]];

function drawAccounts(view) {
  const cards = view.accounts.flatMap((account) => ACCOUNT.map(([name, title]) =>
    make("dl", { className: "card" }, [
      make("dt", { text: view.accounts.length > 1 ? `${title} · ${account.key}` : title }),
      make("dd", { text: account[name], className: name === "unrealized" ? tone(account[name]) : "" }),
    ])));
  byId("accounts").replaceChildren(...cards);
}

const column = (title, show, kind = "", colour = undefined) => ({ title, show, kind, tone: colour });
const sideTone = (row) => (row.side === "BUY" ? "up" : "down");
const POSITIONS = [
  column("symbol", (row) => row.symbol), column("leg", (row) => row.positionSide),
  column("amount", (row) => row.positionAmt, "number", (row) => tone(row.positionAmt)),
  column("entry", (row) => tidy(row.entryPrice), "number"), column("mark", (row) => tidy(row.markPrice), "number"),
  column("unrealised", (row) => tidy(row.unRealizedProfit), "number", (row) => tone(row.unRealizedProfit)),
  column("liquidation", (row) => tidy(row.liquidationPrice), "number"),
  column("without a stop", (row) => `${(row.nakedMs / 1000).toFixed(1)} s`, "number", (row) => (row.nakedMs ? "down" : "up")),
];
const ORDERS = [
  column("symbol", (row) => row.symbol), column("side", (row) => row.side, "", sideTone),
  column("type", (row) => row.type), column("quantity", (row) => row.quantity, "number"),
  column("price", (row) => row.price, "number"), column("trigger", (row) => row.trigger, "number"),
  column("filled", (row) => row.filled, "number"), column("closes", (row) => row.closes),
  column("client id", (row) => row.clientId, "long"),
];
const statusTone = (row) => (row.status === 200 ? "up" : row.status >= 500 || !row.status ? "down" : "gold");
const REQUESTS = [
  column("time", (row) => clockTime(row.time)), column("method", (row) => row.method),
  column("path", (row) => row.path), column("status", (row) => row.status || "cut", "number", statusTone),
  column("code", (row) => row.code ?? "", "number", statusTone), column("fault", (row) => row.fault ?? "", "", () => "gold"),
  column("parameters", (row) => Object.entries(row.params).map(([name, value]) => `${name}=${value}`).join(" "), "long"),
];

function drawWaiting(view) {
  byId("waiting").replaceChildren(...view.faults.map((row) => {
    const left = row.times < 0 ? "stands" : `×${row.times}`;
    const lift = make("button", { text: "lift", type: "button", "aria-label": `lift ${row.fault}` });
    lift.addEventListener("click", () => wish("/sim/lift", { id: row.id }, `${row.fault} lifted`));
    return make("li", {}, [make("span", { text: `${row.fault} ${row.symbol} ${left}` }), lift]);
  }));
}

function draw(view) {
  note(view);
  byId("clock").textContent = dateTime(view.serverTime) + (view.frozen ? " (stopped)" : "");
  byId("profile").textContent = view.profile;
  byId("seed").textContent = view.seed;
  byId("request-count").textContent = view.requestCount;
  drawAccounts(view);
  drawTiles(view);
  drawChosen(view);
  drawBook(view);
  drawWaiting(view);
  table(byId("positions"), POSITIONS, view.positions, "flat: no position");
  table(byId("orders"), ORDERS, view.orders, "no open order");
  table(byId("requests"), REQUESTS, view.requests, "nobody has asked anything yet");
  if (view.notes.length) byId("said").textContent = view.notes.at(-1);
}

async function look() {
  const live = byId("live");
  try {
    const view = await ask("GET", `/sim/view/${chosen}`);
    draw(view);
    live.className = "live on";
    live.textContent = "live";
  } catch (error) {
    live.className = "live off";
    live.textContent = "no answer";
    console.warn(error.message);
  }
}

function describe() {
  const spec = catalogue.find((row) => row.fault === byId("fault").value);
  byId("fault-text").textContent = spec.description;
  byId("times").value = spec.times;
  byId("times").disabled = spec.kind === "act";
  byId("option").replaceChildren(...["", ...spec.options].map((name) => make("option", { text: name || "–", value: name })));
  byId("option").disabled = byId("value").disabled = !spec.options.length;
  byId("value").value = "";
}

function inject(event) {
  event.preventDefault();
  const fault = byId("fault").value, body = { fault };
  if (!byId("times").disabled) body.times = Number(byId("times").value);
  if (byId("option").value && byId("value").value) body[byId("option").value] = byId("value").value;
  if (byId("for-symbol").checked) body.symbol = chosen;
  wish("/sim/fault", body, `${fault} injected`);
}

async function begin() {
  ({ catalogue } = await ask("GET", "/sim/faults"));
  for (const [symbol, points] of Object.entries(await ask("GET", "/sim/trails"))) trails.set(symbol, points.slice(-POINTS_MAX));
  byId("fault").replaceChildren(...["request", "event", "act"].map((kind) =>
    make("optgroup", { label: { request: "requests", event: "stream events", act: "the venue acts" }[kind] },
      catalogue.filter((row) => row.kind === kind).map((row) => make("option", { text: row.fault, value: row.fault })))));
  describe();
  byId("fault").addEventListener("change", describe);
  byId("fault-form").addEventListener("submit", inject);
  byId("lift-all").addEventListener("click", () => wish("/sim/lift", {}, "all faults lifted"));
  byId("show-all").addEventListener("click", () => { all = !all; look(); });
  byId("moves").addEventListener("click", ({ target }) => {
    const by = target.dataset.percent;
    if (by) wish("/sim/fault", { fault: "price_gap", symbol: chosen, percent: by }, `${chosen} moved by ${by} %`);
  });
  byId("price-form").addEventListener("submit", (event) => {
    event.preventDefault();
    wish("/sim/price", { symbol: chosen, price: byId("price").value }, `${chosen} set to ${byId("price").value}`);
  });
  await look();
  setInterval(() => document.hidden || look(), POLL_MS);
}

begin();
