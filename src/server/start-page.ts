// What a browser sees at the root.

const style =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:4rem auto;padding:0 1rem}code{background:#eee;padding:.1em .3em}";

export function startPage(origin: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Holdfast</title><style>${style}</style></head>
<body><h1>Holdfast is running</h1>
<p>Azure Backup for machines you own. The Azure Resource Manager endpoint is <code>${escapeHtml(origin)}</code>.</p>
<p>In a shell on this machine: <code>eval "$(./holdfast az-env)"</code>, then <code>az group list</code>.</p>
<p><a href="/healthz">health</a> · <a href="/readyz">readiness</a> · <a href="/metrics">metrics</a></p>
</body></html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
