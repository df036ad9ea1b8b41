/** The page in which an HTML letter is shown: no scripts, and nothing from the internet, which would tell the sender. */

import type { Attachment } from '@/api/types'

export function letter(html: string, attachments: Attachment[]): string {
  let body = html
  for (const a of attachments) {
    if (a.content_id && a.url) body = body.replaceAll(`cid:${a.content_id.replace(/^<|>$/g, '')}`, a.url)
  }
  const policy = `default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; font-src 'none'; form-action 'none'`
  return `<!doctype html><html><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer"><base target="_blank"><style>
html{color-scheme:light;background:#fff}body{margin:0;padding:12px;font:14px/20px system-ui,sans-serif;color:#1d2126;overflow-wrap:anywhere}
img{max-width:100%;height:auto}img:not([src^="/"]):not([src^="data:"]){display:none}table{max-width:100%}pre{white-space:pre-wrap}</style></head><body>${body}</body></html>`
}

export const hasRemote = (html: string) => /(src|background)\s*=\s*["']?\s*(https?:)?\/\/|url\(\s*["']?https?:/i.test(html)
