// Tabs: [{key, label, view()}]; which one is shown is kept in the URL, as the parameter `name`.
import { html, useId } from "../vendor/preact.js";
import { useQuery } from "../lib/router.js";

export function Tabs({ tabs, name = "tab" }) {
  const [params, setParams] = useQuery();
  const id = useId();
  const shown = tabs.find(({ key }) => key === params[name]) ?? tabs[0];
  const choose = (key) => setParams({ [name]: key === tabs[0].key ? null : key });
  const onKey = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = tabs[(tabs.indexOf(shown) + step + tabs.length) % tabs.length];
    choose(next.key);
    event.currentTarget.querySelector(`[data-key="${next.key}"]`)?.focus();
  };
  return html`<div class="tabs" role="tablist" onKeyDown=${onKey}>
      ${tabs.map(({ key, label }) => html`<button key=${key} type="button" role="tab" id=${`${id}-${key}`} data-key=${key}
        aria-selected=${key === shown.key} aria-controls=${`${id}-panel`} tabindex=${key === shown.key ? 0 : -1}
        onClick=${() => choose(key)}>${label}</button>`)}
    </div>
    <div role="tabpanel" id=${`${id}-panel`} aria-labelledby=${`${id}-${shown.key}`} key=${shown.key}>${shown.view()}</div>`;
}
