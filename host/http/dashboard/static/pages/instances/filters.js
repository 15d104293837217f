// The filters of a list of instances. They are the parameters of the page's URL.
import { html, useEffect, useState } from "../../vendor/preact.js";
import { listOf } from "../../lib/router.js";
import { Field } from "../../parts/field.js";
import { STATUSES } from "../../parts/status.js";
import { Typed, split } from "../../parts/typed.js";

const SPANS = [["", "At any time"], ["900", "In the last 15 minutes"], ["3600", "In the last hour"], ["86400", "In the last day"], ["604800", "In the last 7 days"], ["custom", "Between two times"]];
const TEXTS = ["text", "name", "instanceIdPrefix", "tag"];
const SECONDS = /^[1-9]\d{0,8}$/;

/** What all filters are called in the URL. */
export const FILTERS = ["runtimeStatus", "last", "createdTimeFrom", "createdTimeTo", ...TEXTS];

/** Those of them that may stand there several times. */
export const LISTS = ["runtimeStatus", "name", "tag"];

/** What the host is asked with: its own parameters. */
export function asked(params, now = Date.now()) {
  const { last, createdTimeFrom, createdTimeTo, text, name, instanceIdPrefix } = params;
  const since = SECONDS.test(last) ? new Date(now - Number(last) * 1000).toISOString() : createdTimeFrom;
  return {
    runtimeStatus: listOf(params.runtimeStatus).join(","),
    name: split(name).join(","),
    tag: split(params.tag),
    createdTimeFrom: since,
    createdTimeTo,
    instanceIdPrefix,
    text,
  };
}

/** Whether anything is filtered. */
export const isFiltered = (params) => FILTERS.some((each) => listOf(params[each]).length > 0);

export function FilterBar({ params, setParams }) {
  const chosen = listOf(params.runtimeStatus);
  const turn = (status) => {
    const next = chosen.includes(status) ? chosen.filter((each) => each !== status) : [...chosen, status];
    setParams({ runtimeStatus: next });
  };
  return html`<form role="search" aria-label="Filter instances" onSubmit=${(event) => event.preventDefault()}>
    <div class="toggles" role="group" aria-label="Status">
      ${STATUSES.filter((each) => each !== "ContinuedAsNew").map((each) => html`<button key=${each} type="button" class="toggle" aria-pressed=${chosen.includes(each)} onClick=${() => turn(each)}>${each}</button>`)}
    </div>
    <div class="filter-row">
      <${Typed} label="Text in id, status or error" type="search" name="text" params=${params} setParams=${setParams} />
      <${Typed} label="Orchestrators" placeholder="name, name" name="name" params=${params} setParams=${setParams} />
      <${Typed} label="Id begins with" name="instanceIdPrefix" params=${params} setParams=${setParams} />
      <${Typed} label="Tags" placeholder="name:value" name="tag" params=${params} setParams=${setParams} />
      <${Created} params=${params} setParams=${setParams} />
      ${isFiltered(params) && html`<button type="button" class="button small clear" onClick=${() => setParams(Object.fromEntries(FILTERS.map((each) => [each, null])))}>Clear</button>`}
    </div>
  </form>`;
}

function Created({ params, setParams }) {
  const { last, createdTimeFrom, createdTimeTo } = params;
  const [wantsTimes, setWantsTimes] = useState(false);
  const isCustom = !last && (wantsTimes || Boolean(createdTimeFrom || createdTimeTo));
  const choose = (value) => {
    setWantsTimes(value === "custom");
    if (value !== "custom") setParams({ last: value, createdTimeFrom: null, createdTimeTo: null });
    else setParams({ last: null });
  };
  return html`<${Field} label="Created" type="select" options=${SPANS} value=${isCustom ? "custom" : last ?? ""} onChange=${choose} />
    ${isCustom && html`<${Moment} label="from (UTC)" value=${createdTimeFrom} onChange=${(value) => setParams({ createdTimeFrom: value })} />
      <${Moment} label="to (UTC)" value=${createdTimeTo} onChange=${(value) => setParams({ createdTimeTo: value })} />`}`;
}

/** A time in UTC, as ISO 8601 writes it. */
function Moment({ label, value = "", onChange }) {
  const [text, setText] = useState(value);
  const [error, setError] = useState(null);
  useEffect(() => setText(value), [value]);
  const take = (written) => {
    setText(written);
    const plain = written.trim().replace(" ", "T");
    const date = new Date(/(Z|[+-]\d\d:?\d\d)$/i.test(plain) || !plain.includes("T") ? plain : `${plain}Z`);
    if (plain === "") onChange(null);
    else if (Number.isNaN(date.getTime())) return setError("Such as 2026-01-31 14:05");
    else onChange(date.toISOString());
    setError(null);
  };
  return html`<${Field} label=${label} value=${text} error=${error} placeholder="2026-01-31 14:05" onInput=${(event) => setText(event.target.value)}
    onChange=${() => {}} onBlur=${(event) => take(event.target.value)} onKeyDown=${(event) => event.key === "Enter" && take(event.target.value)} />`;
}
