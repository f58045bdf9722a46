// The pages that a browser sees while signing in. No script at all; the only style is the one whose
// hash the policy names; the form may go to this service and on to where the client asked, no further.

import { hash } from "node:crypto";
import { html, raw } from "hono/html";
import type { SignInRequest } from "./authorize.ts";

type Html = ReturnType<typeof html>;

const style = `
:root { color-scheme: light dark; font: 16px/1.4 "Segoe UI", system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: Canvas; color: CanvasText; }
main { width: min(26rem, calc(100vw - 4rem)); padding: 2.5rem; border: 1px solid GrayText; border-radius: 4px; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; font-weight: 600; }
p { margin: 0 0 1.5rem; }
label { display: block; margin-bottom: .25rem; }
input { box-sizing: border-box; width: 100%; margin-bottom: 1.25rem; padding: .5rem; font: inherit; }
button { padding: .5rem 2rem; font: inherit; color: #fff; background: #0f6cbd; border: 0; border-radius: 4px; cursor: pointer; }
button:focus-visible, input:focus-visible { outline: 2px solid Highlight; outline-offset: 2px; }
.problem { padding: .75rem; border-left: 4px solid #c50f1f; }
`;

const styleElement = raw(`<style>${style}</style>`);
const styleHash = hash("sha256", style, "base64");

export function signInPage(request: SignInRequest, problem: string): Html {
  return document(
    "Sign in",
    html`<h1>Sign in</h1>
      <p>to continue to ${request.clientName}</p>
      ${problem === "" ? "" : html`<p class="problem" role="alert">${problem}</p>`}
      <form method="post" autocomplete="on">
        <input type="hidden" name="ticket" value="${request.ticket}" />
        <label for="username">User name</label>
        <input
          id="username"
          name="username"
          type="text"
          autocomplete="username"
          autocapitalize="none"
          spellcheck="false"
          required
          autofocus
          value="${request.loginHint}"
        />
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required />
        <button type="submit">Sign in</button>
      </form>`,
  );
}

export function messagePage(title: string, message: string): Html {
  return document(
    title,
    html`<h1>${title}</h1>
      <p>${message}</p>`,
  );
}

/** Browsers hold redirects after a form to `form-action` too, so where the client waits is named. */
export function pageHeaders(redirectUri?: string): Record<string, string> {
  const target = redirectUri === undefined ? "" : ` ${new URL(redirectUri).origin}`;
  return {
    "cache-control": "no-store",
    "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'${target}; frame-ancestors 'none'; base-uri 'none'`,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
  };
}

function document(title: string, body: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} - Holdfast</title>
        ${styleElement}
      </head>
      <body>
        <main>${body}</main>
      </body>
    </html>`;
}
