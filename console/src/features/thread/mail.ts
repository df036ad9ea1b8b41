/** The page in which an HTML letter is shown: no scripts, and nothing from the internet unless the agent asks. */

import type { Attachment } from '@/api/types'

const POLICY = `default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'none'; base-uri 'none'`
const STYLE = `html{color-scheme:light;background:#fff}body{margin:0;padding:12px;font:14px/20px system-ui,sans-serif;color:#1d2126;overflow-wrap:anywhere}
img{max-width:100%;height:auto}img:not([src]){display:none}table{max-width:100%}pre{white-space:pre-wrap}summary{cursor:pointer;color:#667}`

/**
 * The server has sanitised `html`: pictures of the letter itself wait in `data-cid`, those of the internet in
 * `data-src`. The latter are asked of our own server, and only when `pictures` says so.
 */
export function letter(html: string, attachments: Attachment[], message = '', pictures = false): string {
  const page = new DOMParser().parseFromString(html, 'text/html')
  for (const image of page.querySelectorAll('img')) {
    image.removeAttribute('src')
    const own = attachments.find((a) => a.content_id && a.content_id === image.dataset.cid)
    if (own?.url) image.setAttribute('src', own.url)
    else if (pictures && image.dataset.src) image.setAttribute('src', pictureUrl(message, image.dataset.src))
  }
  return `<!doctype html><html><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="referrer" content="no-referrer"><style>${STYLE}</style></head><body>${page.body.innerHTML}</body></html>`
}

const pictureUrl = (message: string, url: string) => `/api/v1/messages/${message}/picture?url=${encodeURIComponent(url)}`

export const hasRemote = (html: string) => /<img\b[^>]*\sdata-src="/i.test(html)
