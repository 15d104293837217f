// Signing in with a key.
import { html, useState } from "../vendor/preact.js";
import { signIn } from "../lib/signing_in.js";
import { Field } from "./field.js";

export function Login() {
  const [key, setKey] = useState("");
  const [error, setError] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const open = async (event) => {
    event.preventDefault();
    if (key.trim() === "") return setError("Type a key, or paste it: the field is empty.");
    setBusy(true);
    try {
      await signIn(key.trim());
    } catch (failure) {
      setError(failure.message);
      setBusy(false);
    }
  };
  return html`<main class="login"><form class="card" noValidate onSubmit=${open}>
    <h1>funchost</h1>
    <p class="muted">This host has keys. Sign in with the master key, or with a system key; its role says what you may do here.</p>
    <${Field} label="Key" type="password" value=${key} error=${error} onChange=${setKey} autocomplete="current-password" autofocus required />
    <button type="submit" class="button primary" disabled=${isBusy}>Sign in</button>
  </form></main>`;
}
