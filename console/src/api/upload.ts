/** Uploading a file with progress; `fetch` cannot report how much has been sent. */

import { ApiError, BASE, problem } from './http'
import type { Attachment } from './types'

function answer(xhr: XMLHttpRequest): unknown {
  try {
    return JSON.parse(xhr.responseText)
  } catch {
    return null
  }
}

export function upload(
  file: File,
  progress: (share: number) => void,
  signal?: AbortSignal,
): Promise<Attachment> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    const form = new FormData()
    form.append('file', file, file.name || 'file')
    xhr.open('POST', `${BASE}/files`)
    xhr.setRequestHeader('X-Otklik', '1')
    xhr.upload.onprogress = (e) => e.lengthComputable && progress(e.loaded / e.total)
    xhr.onload = () => {
      if (xhr.status < 300) resolve(answer(xhr) as Attachment)
      else reject(problem(xhr.status, answer(xhr)))
    }
    xhr.onerror = () => reject(new ApiError(0, 'offline'))
    xhr.onabort = () => reject(new DOMException('', 'AbortError'))
    signal?.addEventListener('abort', () => xhr.abort())
    xhr.send(form)
  })
}
