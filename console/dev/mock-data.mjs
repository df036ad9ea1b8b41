// Hand-made people and dialogs for the stand-in server. Development only.

const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString()
const id = () => crypto.randomUUID()

const caps = (kind) => ({
  inbound: ['poll'], max_text: kind === 'telegram' ? 4096 : 20000, attachments: ['image', 'document', 'voice'], max_attachments: 10, max_file_bytes: 2e7,
  reply: true, typing: true, can_initiate: kind === 'email', delivery: 'read', deduplicates: false, deep_link: kind === 'telegram' || kind === 'webchat',
})

const picture = (hue) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 420"><rect width="640" height="420" fill="hsl(${hue} 35% 78%)"/><circle cx="470" cy="130" r="60" fill="hsl(45 80% 82%)"/><path d="M0 330 170 190l120 110 130-150 220 190v80H0Z" fill="hsl(${hue} 28% 52%)"/></svg>`

export function build() {
  const agent = (name, role, fields = {}) => ({ id: id(), name, email: `${role}@example.test`, role, is_bot: false, locale: 'ru', time_zone: 'Europe/Moscow', active: true, team_ids: [], ...fields })
  const agents = [agent('Мария Соколова', 'admin'), agent('Иван Петров', 'agent'), agent('Алла Ким', 'lead'), agent('Робот смены', 'agent', { is_bot: true, email: null })]
  const teams = [{ id: id(), name: 'Поддержка', member_ids: [agents[0].id, agents[1].id] }, { id: id(), name: 'Возвраты', member_ids: [agents[2].id] }]
  agents[0].team_ids = [teams[0].id]
  const channel = (kind, name, title, fields = {}) => ({ id: id(), kind, name, title, state: 'active', error: null, error_code: null, error_at: null, seen_at: ago(1), team_ids: [], capabilities: caps(kind), ...fields })
  const channels = [
    channel('telegram', 'Telegram магазина', '@shop_bot'), channel('vk', 'Сообщество VK', 'Наш магазин'), channel('email', 'Почта', 'help@example.test'),
    channel('webchat', 'Чат на сайте', 'Магазин'), channel('api', 'Мобильное приложение', 'app', { state: 'stopped', error: 'Ключ отозван', error_code: 'unauthorized', error_at: ago(50) }),
  ]
  const db = { me: { ...agents[0], must_change_password: false, session_id: id() }, agents, teams, channels, customers: [], identities: {}, dialogs: [], messages: [], tasks: [], files: [], read: {}, quarantined: [], kinds: [] }
  let seq = 100
  let number = 340

  db.file = (fields) => ({ id: id(), kind: 'document', name: 'file', mime: 'application/octet-stream', size: 1, width: null, height: null, duration: null, content_id: null, state: 'stored', error: null, url: null, body: '', ...fields })
  const stored = (fields) => { const f = db.file(fields); f.url = `/api/v1/files/${f.id}`; db.files.push(f); return f }
  db.message = (dialog, fields) => ({
    id: id(), seq: ++seq, dialog_id: dialog.id, customer_id: dialog.customer.id, direction: 'in', channel_id: dialog.channel_id, identity_id: db.identities[dialog.customer.id]?.[0]?.id ?? null,
    text: '', html: null, author_id: null, reply_to: null, attachments: [], created_at: new Date().toISOString(), occurred_at: null, edited_at: null, status: null, error: null,
    error_code: null, send_after: null, client_key: null, sent_at: null, delivered_at: null, read_at: null, meta: {}, ...fields,
  })
  db.task = (fields) => ({
    id: id(), number: ++number, description: '', status: 'todo', owner_id: agents[0].id, team_id: null, deadline_at: ago(-900), overdue: false, created_by: agents[0].id,
    created_at: ago(100), finished_at: null, message_ids: [], ...fields,
    dialogs: (fields.dialog_ids ?? []).map((key) => { const d = db.dialogs.find((x) => x.id === key); return { id: key, number: d.number, customer_name: d.customer.name } }),
  })

  const person = (name, fields = {}) => {
    const c = { id: id(), name, phone: '', email: '', about: '', locale: 'ru', avatar_url: null, created_at: ago(60 * 24 * 90), ...fields }
    db.customers.push(c)
    return c
  }
  const identity = (c, kind, ch, fields) => (db.identities[c.id] ??= []).push({ id: id(), kind, external_id: '1', name: c.name, username: '', reachable: true, channels: [{ channel_id: ch.id, last_at: ago(5) }], ...fields })
  const talk = (c, ch, lines, fields = {}) => {
    const d = {
      id: id(), number: ++number, status: 'open', customer: { id: c.id, name: c.name, avatar_url: null }, channel_id: ch.id, assignee_id: null, team_id: null, snoozed_until: null, waiting_since: null,
      first_response_at: null, last_message_at: ago(0), last_direction: 'in', last_author_id: null, preview: '', inbound_count: 0, created_at: ago(500), closed_at: null, task_count: 0, next_deadline_at: null, ...fields,
    }
    db.dialogs.push(d)
    for (const [direction, minutes, text, more = {}] of lines) {
      const m = db.message(d, { direction, text, created_at: ago(minutes), author_id: direction === 'out' || direction === 'note' ? agents[0].id : null, status: direction === 'out' ? 'read' : null, ...more })
      db.messages.push(m)
      if (direction !== 'system') Object.assign(d, { last_message_at: m.created_at, preview: text || 'Картинка', last_direction: direction, last_author_id: m.author_id })
      if (direction === 'in') d.inbound_count += 1
    }
    return d
  }

  const anna = person('Анна Кузнецова', { phone: '+7 912 000-11-22', email: 'anna@example.test', about: 'Постоянный клиент. Просит писать, а не звонить.' })
  identity(anna, 'telegram', channels[0], { username: 'anna_k' })
  identity(anna, 'email', channels[2], { external_id: 'anna@example.test' })
  const old = talk(anna, channels[2], [['in', 60 * 24 * 9, 'Здравствуйте! Можно ли изменить адрес доставки в заказе 20418?', { meta: { subject: 'Адрес доставки', from: 'anna@example.test' } }], ['out', 60 * 24 * 9 - 30, 'Анна, здравствуйте. Адрес изменили, новый чек придёт на почту.']], { status: 'closed', closed_at: ago(60 * 24 * 8), assignee_id: agents[0].id })
  const main = talk(anna, channels[0], [
    ['in', 260, 'Добрый день! Заказ 20981 приехал, но чашка разбита'],
    ['in', 259, '', { attachments: [stored({ kind: 'image', name: 'чашка.jpg', mime: 'image/svg+xml', size: 184000, width: 640, height: 420, body: picture(200) })] }],
    ['out', 250, 'Анна, очень жаль. Сейчас проверю, как быстрее заменить. Подскажите, упаковка была целой?'],
    ['in', 240, 'Коробка чуть помята с одной стороны. Вот голосом рассказала подробнее', { attachments: [stored({ kind: 'voice', name: 'voice.ogg', mime: 'audio/ogg', size: 21000, duration: 17 })] }],
    ['note', 236, 'Третий бой за месяц на этом складе. Пора поговорить с упаковкой.'],
    ['system', 235, '', { meta: { kind: 'task.created', task_id: 'x', task_number: 339, title: 'Замена чашки' } }],
    ['out', 230, 'Отправим новую завтра утром, старую возвращать не нужно. Вот гарантийное письмо.', { attachments: [stored({ name: 'Гарантийное письмо № 118.pdf', mime: 'application/pdf', size: 412000 })] }],
    ['in', 41, 'Здравствуйте! Пишу с почты, чтобы приложить чек.\n\nАнна\n\n> Отправим новую завтра утром,\n> старую возвращать не нужно.', { channel_id: channels[2].id, meta: { subject: 'Re: Заказ 20981', from: 'anna@example.test' }, html: '<p>Здравствуйте! Пишу с почты, чтобы приложить <b>чек</b>.</p><p>Анна</p><script>alert(1)</script><img src="https://example.test/pixel.gif">', attachments: [stored({ name: 'чек-20981.pdf', mime: 'application/pdf', size: 88000 })] }],
    ['out', 38, 'Спасибо, чек получили.', { status: 'failed', error: 'mailbox full', error_code: 'unreachable', channel_id: channels[2].id }],
    ['in', 22, 'И ещё вопрос: можно ли добавить к посылке открытку? https://shop.example.test/cards/14', { edited_at: ago(20) }],
    ['in', 21, '', { meta: { unsupported: 'poll' } }],
  ], { assignee_id: agents[0].id, team_id: teams[0].id, waiting_since: ago(22), task_count: 2, next_deadline_at: ago(-600) })
  const list = [
    ['Пётр Львович Долгоруков-Константинопольский', 0, 'Сколько можно ждать ответа? Пишу третий раз за день', 96, 0], ['Елена Ветрова', 1, 'А доставка в Мурманск есть?', 12, null], ['Mark Thompson', 3, 'Hi, is the large size back in stock?', 4, 0],
    ['Олег', 0, 'Спасибо, всё подошло', 75, 0], ['Студия «Север»', 2, 'Re: Счёт на оплату, октябрь', 33, 2], ['Гость 7F3A', 3, 'Здравствуйте', 1, null], ['Ирина Белова', 1, 'Фото отправила', 190, 1], ['Тимур Гареев', 0, 'ок', 1500, 0],
  ]
  for (const [name, ch, text, minutes, owner] of list) {
    const c = person(name)
    identity(c, channels[ch].kind, channels[ch], {})
    const answered = ['Олег', 'Тимур Гареев'].includes(name)
    const lines = [['in', minutes, text]]
    if (name === 'Тимур Гареев') for (let i = 0; i < 90; i += 1) lines.unshift([i % 3 ? 'in' : 'out', minutes + 10 + i * 40, `Сообщение ${90 - i} из долгой переписки`])
    if (answered) lines.push(['out', minutes - 1, 'Рады помочь. Пишите, если будут вопросы.'])
    const d = talk(c, channels[ch], lines, { assignee_id: owner === null ? null : agents[owner].id, waiting_since: answered ? null : ago(minutes) })
    if (answered) db.read[d.id] = d.inbound_count
  }
  db.read[main.id] = 3
  db.read[old.id] = 1
  db.tasks.push(
    db.task({ title: 'Отправить замену чашки, заказ 20981', status: 'in_progress', deadline_at: ago(-600), dialog_ids: [main.id] }), db.task({ title: 'Разобраться с боем на складе', owner_id: agents[2].id, status: 'todo', deadline_at: ago(-4000), dialog_ids: [main.id] }),
    db.task({ title: 'Сверить остатки большого размера', status: 'waiting', deadline_at: ago(180) }), db.task({ title: 'Выставить счёт студии «Север»', status: 'done', finished_at: ago(400), deadline_at: ago(300), dialog_ids: [db.dialogs[6].id] }),
  )
  db.quarantined.push({ id: 1, channel_id: channels[1].id, key: 'k', state: 'quarantined', error: 'object.message.from_id is missing', attempts: 3, received_at: ago(70), payload_preview: '{"type": "message_new", "object": {"message": {}}}' })
  const schema = (properties, required) => ({ type: 'object', properties: { ...properties, http: { $ref: '#/$defs/Http' } }, required, $defs: { Http: { type: 'object', properties: { base_url: { type: 'string', title: 'Base URL', default: '' }, timeout: { type: 'number', title: 'Timeout', default: 30 } } } } })
  for (const kind of ['telegram', 'vk', 'email', 'webchat', 'api']) db.kinds.push({ kind, title: kind, capabilities: caps(kind), settings_schema: schema({ token: { type: 'string', title: 'Token', writeOnly: true, description: 'From BotFather' } }, ['token']) })
  return db
}
