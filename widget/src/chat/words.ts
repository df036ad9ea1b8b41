// Everything the chat says, in Russian and English.

const ru = {
  title: "Напишите нам",
  greeting: "Здравствуйте. Напишите, что вас интересует, — ответим здесь же.",
  open: "Открыть чат",
  unread: (n: number) => `Открыть чат, новых сообщений: ${n}`,
  close: "Закрыть чат",
  placeholder: "Сообщение",
  send: "Отправить",
  attach: "Прикрепить файл",
  remove: "Убрать файл",
  drop: "Отпустите, чтобы прикрепить",
  offline: "Нет связи. Сообщения уйдут, когда она появится.",
  answers: (name: string) => `Отвечает ${name}`,
  typing: "Печатает",
  sending: "Отправляется",
  waiting: "Ждёт связи",
  failed: "Не отправлено",
  retry: "Повторить",
  discard: "Удалить",
  earlier: "Показать раньше",
  today: "Сегодня",
  yesterday: "Вчера",
  messages: "Сообщения",
  name: "Ваше имя",
  email: "Ваша почта",
  optional: "необязательно",
  need_name: "Напишите, как к вам обращаться.",
  need_email: "Нужен адрес вида name@example.ru.",
  download: "Скачать",
  file_pending: "Загружается",
  file_gone: "Файл недоступен",
  you: "Вы",
  agent: "Сотрудник",
  off: "Этот чат сейчас не работает.",
  errors: {
    too_large: "Слишком большой файл или текст.",
    too_many_requests: "Слишком часто. Подождите немного.",
    channel_paused: "Чат сейчас приостановлен.",
    empty_file: "Пустой файл не отправить.",
    too_many_files: "Не больше десяти файлов в сообщении.",
    offline: "Нет связи, файл не загружен.",
    error: "Не получилось. Попробуйте ещё раз.",
  } as Record<string, string>,
  size: (n: string, unit: string) => `${n} ${{ B: "Б", KB: "КБ", MB: "МБ" }[unit] ?? unit}`,
};

type Words = typeof ru;

const en: Words = {
  title: "Write to us",
  greeting: "Hello. Ask whatever you like, we answer right here.",
  open: "Open chat",
  unread: (n) => `Open chat, new messages: ${n}`,
  close: "Close chat",
  placeholder: "Message",
  send: "Send",
  attach: "Attach a file",
  remove: "Remove file",
  drop: "Drop to attach",
  offline: "No connection. Messages will leave when it is back.",
  answers: (name) => `${name} is answering`,
  typing: "Typing",
  sending: "Sending",
  waiting: "Waiting for connection",
  failed: "Not sent",
  retry: "Try again",
  discard: "Delete",
  earlier: "Show earlier",
  today: "Today",
  yesterday: "Yesterday",
  messages: "Messages",
  name: "Your name",
  email: "Your e-mail",
  optional: "optional",
  need_name: "Please tell us your name.",
  need_email: "An address like name@example.com is needed.",
  download: "Download",
  file_pending: "Loading",
  file_gone: "File unavailable",
  you: "You",
  agent: "Agent",
  off: "This chat is not available now.",
  errors: {
    too_large: "The file or text is too large.",
    too_many_requests: "Too fast. Please wait a little.",
    channel_paused: "The chat is paused now.",
    empty_file: "An empty file cannot be sent.",
    too_many_files: "At most ten files in a message.",
    offline: "No connection, the file was not uploaded.",
    error: "That did not work. Please try again.",
  },
  size: (n, unit) => `${n} ${unit}`,
};

export type Language = "ru" | "en";

/** The language of the page or browser: Russian where it is understood best, else English. */
export function language(tag: string): Language {
  return /^(ru|be|uk|kk|ky|tg|tt)\b/i.test(tag) ? "ru" : "en";
}

export function words(lang: Language): Words {
  return lang === "ru" ? ru : en;
}

export function fault(texts: Words, code: string): string {
  return texts.errors[code] ?? texts.errors.error ?? "";
}

export function size(texts: Words, bytes: number | null, lang: Language): string {
  if (bytes === null) return "";
  const step = bytes < 1024 ? 0 : bytes < 1024 * 1024 ? 1 : 2;
  const number = new Intl.NumberFormat(lang, { maximumFractionDigits: step === 2 ? 1 : 0 });
  return texts.size(number.format(bytes / 1024 ** step), ["B", "KB", "MB"][step] ?? "");
}

export function clock(at: string, lang: Language): string {
  return new Intl.DateTimeFormat(lang, { hour: "numeric", minute: "2-digit" }).format(new Date(at));
}

export function day(at: string, lang: Language, now = new Date()): string {
  const date = new Date(at);
  const days = Math.round((midnight(now) - midnight(date)) / 86_400_000);
  if (days === 0) return words(lang).today;
  if (days === 1) return words(lang).yesterday;
  const year = date.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return new Intl.DateTimeFormat(lang, { day: "numeric", month: "long", year }).format(date);
}

function midnight(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
