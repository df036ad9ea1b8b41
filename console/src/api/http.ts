/** The one door to the REST API: JSON in and out, errors as `ApiError` with a code to translate. */

export interface FieldError {
  field: string
  code: string
  message: string
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail = '',
    readonly errors: FieldError[] = [],
  ) {
    super(detail || code)
  }
}

type Query = Record<string, string | number | boolean | null | undefined>

export interface RequestOptions {
  query?: Query
  body?: unknown
  timeout?: number
  signal?: AbortSignal
}

export const BASE = '/api/v1'

let signedOut: () => void = () => {}

export function onSignedOut(handler: () => void): void {
  signedOut = handler
}

export function address(path: string, query: Query = {}): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') params.set(key, String(value))
  }
  const tail = params.toString()
  return BASE + path + (tail ? `?${tail}` : '')
}

export function problem(status: number, body: unknown): ApiError {
  const value = (body ?? {}) as { code?: string; detail?: unknown; errors?: FieldError[] }
  const detail = typeof value.detail === 'string' ? value.detail : ''
  const code = value.code ?? (status === 413 ? 'too_large' : status >= 500 ? 'unavailable' : 'invalid')
  return new ApiError(status, code, detail, Array.isArray(value.errors) ? value.errors : [])
}

async function parsed(response: Response): Promise<unknown> {
  const text = await response.text()
  if (!text) return null
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (error) {
    const name = error instanceof DOMException ? error.name : ''
    if (name === 'AbortError') throw error
    throw new ApiError(0, name === 'TimeoutError' ? 'timeout' : 'offline')
  }
}

export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const limit = AbortSignal.timeout(options.timeout ?? 20_000)
  const headers: Record<string, string> = { Accept: 'application/json', 'X-Otklik': '1' }
  if (options.body !== undefined) headers['Content-Type'] = 'application/json'
  const response = await reach(address(path, options.query), {
    method,
    headers,
    credentials: 'same-origin',
    body: options.body === undefined ? undefined : JSON.stringify(options.body),
    signal: options.signal ? AbortSignal.any([options.signal, limit]) : limit,
  })
  const body = await parsed(response)
  if (response.ok) return body as T
  const error = problem(response.status, body)
  if (response.status === 401 && error.code !== 'wrong_login') signedOut()
  throw error
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal) =>
  request<T>('GET', path, { query, signal })
export const post = <T>(path: string, body: unknown = {}, timeout?: number) =>
  request<T>('POST', path, { body, timeout })
export const patch = <T>(path: string, body: unknown, timeout?: number) =>
  request<T>('PATCH', path, { body, timeout })
export const put = <T>(path: string, body?: unknown) => request<T>('PUT', path, { body })
export const remove = <T>(path: string) => request<T>('DELETE', path)
