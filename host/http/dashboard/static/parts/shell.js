// What surrounds every page: the navigation and the bar on top.
import { html, useEffect, useLayoutEffect, useState } from "../vendor/preact.js";
import { isReached } from "../lib/api.js";
import { link, usePlace } from "../lib/router.js";
import { session } from "../lib/session.js";
import { paused, theme, zone } from "../lib/settings.js";
import { signOut } from "../lib/signing_in.js";
import { useStore } from "../lib/store.js";
import { Select } from "./field.js";
import { Icon } from "./icon.js";
import { Palette } from "./palette.js";
import { Shortcuts } from "./shortcuts.js";
import { told } from "./toast.js";

const ZONES = [["local", "Local time"], ["UTC", "UTC"], ...["America/Los_Angeles", "America/New_York", "Europe/London", "Europe/Berlin", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney"].map((name) => [name, name.replace("_", " ")])];
const THEMES = [["system", "System"], ["light", "Light"], ["dark", "Dark"]];

/** `pages` are all pages; those with a `nav` are in the navigation. */
export function Shell({ pages, children }) {
  const [isMenuOpen, setMenuOpen] = useState(false);
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  const { path } = usePlace();
  const shown = pages.filter(({ nav }) => nav).sort((one, other) => one.nav.order - other.nav.order);
  useEffect(() => setMenuOpen(false), [path]);
  useLayoutEffect(() => { // who sees the page can use its keys
    const onKey = (event) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      setPaletteOpen(true);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return html`<div class=${isMenuOpen ? "shell menu-open" : "shell"}>
    <a class="skip" href="#main">Skip to the page</a>
    <${TopBar} onMenu=${() => setMenuOpen(!isMenuOpen)} isMenuOpen=${isMenuOpen} onSearch=${() => setPaletteOpen(true)} />
    <nav class="side" id="side" aria-label="Pages">
      ${shown.map(({ path: to, nav }) => html`<a key=${to} href=${link(to)} aria-current=${isWithin(path, to) ? "page" : undefined}>
        <${Icon} name=${nav.icon} /><span>${nav.label}</span></a>`)}
      <div class="side-foot"><${Chooser} label="Time zone" store=${zone} options=${ZONES} /><${Chooser} label="Colours" store=${theme} options=${THEMES} /></div>
    </nav>
    <main id="main" tabindex="-1">${children}</main>
    <${Shortcuts} />
    ${isPaletteOpen && html`<${Palette} pages=${shown} onClose=${() => setPaletteOpen(false)} />`}
  </div>`;
}

const isWithin = (path, page) => (page === "/" ? path === "/" : path === page || path.startsWith(`${page}/`));

function TopBar({ onMenu, isMenuOpen, onSearch }) {
  const { hub, hostVersion, role, keyName } = useStore(session);
  return html`<header class="top">
    <button type="button" class="plain menu-button" aria-label="Pages" aria-expanded=${isMenuOpen} aria-controls="side" onClick=${onMenu}><${Icon} name="menu" /></button>
    <a class="brand" href=${link("/")}><strong>funchost</strong></a>
    <span class="hub" title="The hub that this host works on">${hub}</span>
    <button type="button" class="search-button" aria-label="Go to… Ctrl K" onClick=${onSearch}><${Icon} name="search" size=${15} /><span>Go to…</span><kbd>Ctrl K</kbd></button>
    <span class="spacer"></span>
    <${LiveSwitch} />
    <span class="who muted" title=${keyName ? `Signed in with the key ${keyName}` : "This host has no keys"}>${role} · ${hostVersion}</span>
    ${keyName && html`<button type="button" class="plain" aria-label="Sign out" title="Sign out" onClick=${() => told(signOut, "Signed out.")}><${Icon} name="signout" /></button>`}
  </header>`;
}

function LiveSwitch() {
  const isPaused = useStore(paused);
  const isLost = !useStore(isReached);
  const [look, text, title] = isPaused ? ["is-paused", "Paused", "Pages stand still. Click to have them follow again."]
    : isLost ? ["is-lost", "No answer", "The host does not answer. Pages go on asking; click to hold them."]
      : ["", "Live", "Pages follow what happens. Click to hold them."];
  return html`<button type="button" class=${`live ${look}`} aria-pressed=${!isPaused} onClick=${() => paused.set(!isPaused)} title=${title}>
    <span class="live-dot"></span>${text}</button>`;
}

function Chooser({ label, store, options }) {
  const value = useStore(store);
  return html`<label class="chooser"><span>${label}</span><${Select} class="input" value=${value} options=${options} onChange=${(event) => store.set(event.target.value)} /></label>`;
}
