/** Where a found message stands: in the customer's thread, opened by his newest dialog that one may see. */

import { customers } from '@/api/client'
import type { Hit } from '@/api/types'

export async function placeOf(hit: Hit): Promise<string> {
  const card = await customers.get(hit.customer.id)
  return `/inbox/all/${card.dialogs[0]?.id ?? hit.dialog_id}?message=${hit.seq}`
}
