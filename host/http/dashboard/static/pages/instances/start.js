// Starting an instance: with the form that the function's annotation gives, or with any JSON.
import { html, useEffect, useState } from "../../vendor/preact.js";
import { get, hubPath, post, segment } from "../../lib/api.js";
import { navigate, pagePath } from "../../lib/router.js";
import { Dialog } from "../../parts/dialog.js";
import { ErrorBox, Loading } from "../../parts/empty.js";
import { Field } from "../../parts/field.js";
import { SchemaForm } from "../../parts/form_by_schema.js";
import { toast } from "../../parts/toast.js";

const isOrchestrator = ({ config }) => config?.bindings?.some(({ type }) => type === "orchestrationTrigger");

export function StartDialog({ onClose, name: given }) {
  const [names, setNames] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    get("/admin/functions").then((all) => setNames(all.filter(isOrchestrator).map(({ name }) => name).sort()), setError);
  }, []);
  let content = html`<${Loading} what="the functions" />`;
  if (error) content = html`<${ErrorBox} error=${error} />`;
  else if (names?.length === 0) content = html`<p>This host has no orchestrators.</p>`;
  else if (names) content = html`<${StartForm} names=${names} given=${given} onClose=${onClose} />`;
  return html`<${Dialog} title="Start an orchestration" onClose=${onClose}>${content}<//>`;
}

function StartForm({ names, given, onClose }) {
  const [name, setName] = useState(names.includes(given) ? given : names[0]);
  const [schema, setSchema] = useState(undefined);
  const [input, setInput] = useState({});
  const [options, setOptions] = useState({ instanceId: "", tag: "", startAt: "" });
  const [error, setError] = useState(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    setSchema(undefined);
    setInput({});
    get(`/admin/functions/${segment(name)}`).then(({ inputSchema }) => setSchema(inputSchema ?? null), () => setSchema(null));
  }, [name]);
  const set = (key) => (value) => setOptions((was) => ({ ...was, [key]: value }));
  const start = async (event) => {
    event.preventDefault();
    if (input.error) return;
    setBusy(true);
    try {
      const { instanceId, tag, startAt } = options;
      const path = `orchestrators/${segment(name)}${instanceId ? `/${segment(instanceId)}` : ""}`;
      const tags = tag.split(",").map((each) => each.trim()).filter(Boolean);
      const { id } = await post(hubPath(path), input.value, { tag: tags, startAt: startAt.trim() });
      toast("It is started.");
      onClose();
      navigate(pagePath("instances", id));
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return html`<form onSubmit=${start}>
    <${Field} label="Orchestrator" type="select" options=${names} value=${name} onChange=${setName} />
    ${schema === undefined ? html`<${Loading} what="what it takes" />` : html`<${SchemaForm} key=${name} schema=${schema} onChange=${setInput} />`}
    <${Field} label="Instance id" hint="Without one it gets one." value=${options.instanceId} onChange=${set("instanceId")} />
    <${Field} label="Tags" placeholder="name:value, name:value" value=${options.tag} onChange=${set("tag")} />
    <${Field} label="Begin" hint="A time, or in how long, such as 90s. Empty: now." value=${options.startAt} onChange=${set("startAt")} />
    <${ErrorBox} error=${error} />
    <div class="dialog-foot"><button type="button" class="button" onClick=${onClose}>Cancel</button>
      <button type="submit" class="button primary" disabled=${isBusy || Boolean(input.error)}>Start</button></div></form>`;
}
