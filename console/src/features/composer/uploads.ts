/** Files on their way to the server, for one dialog's composer. */

import { ref } from 'vue'
import { explain } from '@/i18n'
import { upload } from '@/api/upload'
import { useDrafts } from '@/stores/drafts'
import { useSession } from '@/stores/session'

export interface Uploading {
  key: number
  name: string
  size: number
  share: number
  error: string
  stop: AbortController
}

let last = 0

export function useUploads(dialog: string) {
  const drafts = useDrafts()
  const session = useSession()
  const running = ref<Uploading[]>([])

  const drop = (key: number) => {
    running.value.find((u) => u.key === key)?.stop.abort()
    running.value = running.value.filter((u) => u.key !== key)
  }

  async function add(file: File, tooLarge: (name: string) => string): Promise<void> {
    const entry: Uploading = {
      key: ++last, name: file.name, size: file.size, share: 0, error: '', stop: new AbortController(),
    }
    running.value.push(entry)
    const live = running.value.find((u) => u.key === entry.key)!
    if (file.size > session.settings.max_file_bytes) {
      live.error = tooLarge(file.name)
      return
    }
    try {
      const stored = await upload(file, (share) => (live.share = share), entry.stop.signal)
      drafts.set(dialog, { files: [...drafts.get(dialog).files, stored] })
      drop(entry.key)
    } catch (error) {
      if (!(error instanceof DOMException)) live.error = explain(error)
    }
  }

  const remove = (id: string) => drafts.set(dialog, { files: drafts.get(dialog).files.filter((f) => f.id !== id) })

  return { running, add, drop, remove }
}
