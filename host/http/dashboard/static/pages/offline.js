// An exported history, looked at without its hub: the file stays in this browser.
import { html, useMemo, useState } from "../vendor/preact.js";
import { deedsOf } from "../lib/deeds.js";
import { awaitsOf, isWhole, readExport, statusOf } from "../lib/exported.js";
import { bytes, count } from "../lib/format.js";
import { Empty, ErrorBox } from "../parts/empty.js";
import { Card, PageHead } from "../parts/page_head.js";
import { Status } from "../parts/status.js";
import { Tabs } from "../parts/tabs.js";
import { Time } from "../parts/time.js";
import { Graph } from "./instance/graph.js";
import { History } from "./instance/history.js";
import { Failure, JsonText } from "./instance/payloads.js";
import { Steps } from "./instance/steps.js";
import { Timeline } from "./instance/timeline.js";

const MOST_BYTES = 256 * 1024 * 1024;

function Offline() {
  const [file, setFile] = useState(null);
  const [error, setError] = useState(null);
  const take = async (given) => {
    if (!given) return;
    try {
      if (given.size > MOST_BYTES) throw new Error(`The file has ${bytes(given.size)}, and at most ${bytes(MOST_BYTES)} are read.`);
      setFile({ name: given.name, size: given.size, found: readExport(await given.text()) });
      setError(null);
    } catch (failure) {
      setFile(null);
      setError(failure);
    }
  };
  return html`<${PageHead} title="Offline view" note=${file ? `${file.name}, ${bytes(file.size)}` : "An exported history, without its hub."}>
      ${file && html`<button type="button" class="button" onClick=${() => setFile(null)}>Another file</button>`}<//>
    ${error && html`<${ErrorBox} error=${error} />`}
    ${file ? html`<${Exported} key=${file.name} found=${file.found} />` : html`<${Drop} take=${take} />`}`;
}

function Drop({ take }) {
  const [isOver, setOver] = useState(false);
  const onDrag = (event) => {
    event.preventDefault();
    setOver(event.type === "dragover");
  };
  const onDrop = (event) => {
    onDrag(event);
    take(event.dataTransfer.files[0]);
  };
  return html`<div class=${isOver ? "drop over" : "drop"} onDragOver=${onDrag} onDragLeave=${onDrag} onDrop=${onDrop}>
    <${Empty} title="Drop an exported history here" icon="file">
      <p>It is what <code>funchost instances export ID</code> writes, and what Export on an instance's page gives. It is read here, and sent nowhere.</p>
      <label class="button">Choose a file <input type="file" class="sr-only" accept=".ndjson,.jsonl,.json" onChange=${(event) => take(event.target.files[0])} /></label><//></div>`;
}

function Exported({ found }) {
  const [at, setAt] = useState(() => found.findIndex((each) => !each.error));
  return html`${!isWhole(found) && html`<p class="note-box" role="status">The last line does not say that this is all: the export was cut off, or its last lines are missing.</p>`}
    ${found.filter((each) => each.error).map((each, place) => html`<${ErrorBox} key=${place} error=${{ message: each.error }} />`)}
    ${found.length > 1 && html`<label class="inline">Instance <select class="input" value=${at} onChange=${(event) => setAt(Number(event.target.value))}>
      ${found.map((each, place) => !each.error && html`<option key=${place} value=${place} selected=${place === at}>${`${each.instance.instance_id} · ${each.instance.name} · ${each.instance.status}`}</option>`)}</select></label>`}
    <${One} key=${at} line=${found[at]} />`;
}

function One({ line }) {
  const { events, batches } = line;
  const status = useMemo(() => statusOf(line), [line]);
  const deeds = useMemo(() => deedsOf(events, { awaits: awaitsOf(line) }), [line]);
  const now = new Date(status.lastUpdatedTime).getTime();
  const tabs = [
    { key: "timeline", label: "Timeline", view: () => html`<${Timeline} deeds=${deeds} events=${events} now=${now} />` },
    { key: "steps", label: "Step by step", view: () => html`<${Steps} batches=${batches} status=${status} />` },
    { key: "history", label: "History", view: () => (events.length ? html`<${History} events=${events} />` : html`<${Empty} title="No history" />`) },
    { key: "data", label: "Data", view: () => html`<${Texts} texts=${status.texts} />` },
    { key: "graph", label: "Graph", view: () => html`<${Graph} name=${status.name} deeds=${deeds} events=${[]} />` },
  ];
  return html`<h2 class="offline-head"><span class="code" dir="ltr">${status.instanceId}</span> <${Status} value=${status.runtimeStatus} /></h2>
    <dl class="facts-row"><div class="fact"><dt>Function</dt><dd>${status.name}</dd></div>
      <div class="fact"><dt>Created</dt><dd><${Time} value=${status.createdTime} isExact /></dd></div>
      <div class="fact"><dt>Changed</dt><dd><${Time} value=${status.lastUpdatedTime} isExact /></dd></div>
      <div class="fact"><dt>History</dt><dd>${count(events.length)} events in ${count(batches.length)} turns</dd></div></dl>
    ${status.failureDetails && html`<${Card} title="Failure"><${Failure} failure=${status.failureDetails} /><//>`}
    <${Tabs} tabs=${tabs} />`;
}

const Texts = ({ texts }) => html`<div class="cards">
  <${Card} title="Input"><${JsonText} text=${texts.input} name="input" /><//>
  <${Card} title="Custom status"><${JsonText} text=${texts.customStatus} name="custom-status" /><//>
  <${Card} title="Output"><${JsonText} text=${texts.output} name="output" /><//></div>`;

export const page = { path: "/offline", title: "Offline view", view: Offline, nav: { label: "Offline view", icon: "file", order: 90 } };
