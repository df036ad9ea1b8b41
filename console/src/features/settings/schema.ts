/** Reads an adapter's JSON schema into the fields of a form, and the form back into settings. */

export interface SchemaField {
  path: string[]
  key: string
  title: string
  hint: string
  type: 'text' | 'secret' | 'number' | 'boolean' | 'choice' | 'lines' | 'color'
  required: boolean
  choices: string[]
  initial: unknown
  /** Stands under "more": how the platform is reached, and the like. */
  advanced: boolean
}

type Json = Record<string, unknown>

function resolved(schema: Json, root: Json): Json {
  const ref = schema.$ref ?? (Array.isArray(schema.allOf) && schema.allOf.length === 1 ? (schema.allOf[0] as Json).$ref : undefined)
  if (typeof ref === 'string') {
    const target = ref.replace(/^#\//, '').split('/').reduce<unknown>((at, key) => (at as Json)?.[key], root) as Json
    return { ...target, ...schema, $ref: undefined, allOf: undefined }
  }
  const options = (schema.anyOf as Json[] | undefined)?.filter((o) => o.type !== 'null')
  return options?.length ? { ...resolved(options[0]!, root), ...schema, anyOf: undefined } : schema
}

/** Fields of our adapters that hardly anybody touches: they stand under "more", too. */
const RARE = new Set([
  'transport', 'group_id', 'confirmation', 'oauth_url', 'imap_folder', 'smtp_auth', 'plus_addressing', 'answer_all', 'show_agent', 'first_days',
  'rescan_days', 'idle_seconds', 'max_mail_mb', 'max_file_mb', 'signing_secret', 'allow_private_urls', 'site_url',
])

function typeOf(schema: Json, name: string): SchemaField['type'] {
  if (name === 'accent') return 'color'
  if (schema.writeOnly || schema.format === 'password') return 'secret'
  if (Array.isArray(schema.enum)) return 'choice'
  if (schema.type === 'boolean') return 'boolean'
  if (schema.type === 'integer' || schema.type === 'number') return 'number'
  return schema.type === 'array' ? 'lines' : 'text'
}

export function fieldsOf(root: Json, schema: Json = root, path: string[] = [], advanced = false): SchemaField[] {
  const required = new Set((schema.required as string[] | undefined) ?? [])
  return Object.entries((schema.properties as Record<string, Json> | undefined) ?? {}).flatMap(([name, raw]) => {
    const value = resolved(raw, root)
    const at = [...path, name]
    if (value.type === 'object' && value.properties) return fieldsOf(root, value, at, true)
    return [{
      path: at, key: at.join('.'), title: String(value.title ?? name), hint: String(value.description ?? ''), type: typeOf(value, name),
      required: required.has(name), choices: (value.enum as string[] | undefined) ?? [], initial: value.default ?? null, advanced: advanced || (RARE.has(name) && !required.has(name)),
    }]
  })
}

export function valueAt(source: unknown, path: string[]): unknown {
  return path.reduce<unknown>((at, key) => (at as Json | null | undefined)?.[key], source)
}

export function initialValues(fields: SchemaField[], settings: unknown): Record<string, unknown> {
  return Object.fromEntries(fields.map((f) => {
    const known = f.type === 'secret' ? '' : (valueAt(settings, f.path) ?? f.initial)
    return [f.key, f.type === 'lines' ? ((known as string[] | null) ?? []).join('\n') : (known ?? (f.type === 'boolean' ? false : ''))]
  }))
}

function cast(field: SchemaField, value: unknown): unknown {
  if (field.type === 'number') return value === '' || value === null ? undefined : Number(value)
  if (field.type === 'lines') return String(value).split('\n').map((line) => line.trim()).filter(Boolean)
  if (field.type === 'boolean') return Boolean(value)
  return value === '' && (field.type === 'secret' || field.initial === null) && !field.required ? undefined : value
}

/** Empty secrets and numbers are left out: the server keeps or chooses them. */
export function settingsOf(fields: SchemaField[], values: Record<string, unknown>): Json {
  const found: Json = {}
  for (const field of fields) {
    const value = cast(field, values[field.key])
    if (value === undefined || (field.type === 'secret' && value === '')) continue
    let at = found
    for (const key of field.path.slice(0, -1)) at = (at[key] ??= {}) as Json
    at[field.path.at(-1)!] = value
  }
  return found
}
