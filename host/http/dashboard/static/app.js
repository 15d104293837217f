// The dashboard: signs in, and shows the page that the URL means.
import { html, render, useEffect } from "./vendor/preact.js";
import { followLinks, link, match, usePlace } from "./lib/router.js";
import { session } from "./lib/session.js";
import { followTheme } from "./lib/settings.js";
import { loadSession } from "./lib/signing_in.js";
import { useStore } from "./lib/store.js";
import { seeAll, visible } from "./lib/visible.js";
import { pages } from "./pages/index.js";
import { Empty, Loading } from "./parts/empty.js";
import { ErrorBoundary } from "./parts/error_boundary.js";
import { Login } from "./parts/login.js";
import { Shell } from "./parts/shell.js";
import { Toasts } from "./parts/toast.js";

function App() {
  const { state, message } = useStore(session);
  return html`${contentOf(state, message)}<${Toasts} />`;
}

function contentOf(state, message) {
  if (state === "loading") return html`<${Loading} />`;
  if (state === "closed") return html`<${Login} />`;
  if (state === "unreachable") {
    return html`<main class="login"><${Empty} title="The host does not answer">
      <p>${message}</p><button type="button" class="button" onClick=${loadSession}>Try again</button><//></main>`;
  }
  return html`<${Shell} pages=${pages}><${Page} /><//>`;
}

function Page() {
  const { path } = usePlace();
  const found = match(pages, path);
  const title = found ? titleOf(found) : "Not found";
  useEffect(() => {
    document.title = visible(`${title} · funchost`);
  }, [title]);
  if (!found) return html`<${NotFound} path=${path} />`;
  const { view: View } = found.page;
  return html`<${ErrorBoundary} key=${path}><${View} params=${found.params} /><//>`;
}

const titleOf = ({ page, params }) => (typeof page.title === "function" ? page.title(params) : page.title);

function NotFound({ path }) {
  return html`<${Empty} title="There is no such page"><p class="code">${path}</p><a href=${link("/")}>To the overview</a><//>`;
}

seeAll();
followTheme();
followLinks();
loadSession();
render(html`<${App} />`, document.getElementById("app"));
