// A page that breaks takes nothing else with it.
import { Component, html } from "../vendor/preact.js";

export class ErrorBoundary extends Component {
  state = { error: null };

  static getDerivedStateFromError(error) {
    return { error };
  }

  componentDidCatch(error) {
    console.error(error);
  }

  render({ children }, { error }) {
    if (!error) return children;
    return html`<div class="empty" role="alert"><h1>This page is broken</h1><p>${error.message}</p>
      <button type="button" class="button" onClick=${() => this.setState({ error: null })}>Try again</button></div>`;
  }
}
