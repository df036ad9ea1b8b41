/** English. The type makes a missing word a compile error. */

import type { Messages } from './ru'

const en: Messages = {
  common: {
    close: 'Close', cancel: 'Cancel', save: 'Save', saved: 'Saved', back: 'Back', clear: 'Clear', find: 'Find', nothingFound: 'Nothing found',
    dismiss: 'Dismiss', loading: 'Loading', again: 'Try again', edit: 'Edit', remove: 'Delete', refresh: 'Refresh', copied: 'Copied', me: 'me',
    on: 'on', off: 'off',
  },
  time: { moment: 'under a minute', minutes: '{n} min', hours: '{n} h', days: '{n} day | {n} days' },
  login: {
    email: 'Email', password: 'Password', submit: 'Sign in', mustChange: 'Choose your own password: this one was for a single use.',
    again: 'New password once more', differ: 'The passwords differ.', save: 'Save and sign in', passwordHint: 'At least 8 characters.',
  },
  shell: {
    main: 'Sections', inbox: 'Dialogs', tasks: 'Tasks', customers: 'Customers', settings: 'Settings', everything: 'Find anything', keys: 'Keys',
    own: 'My menu', theme: 'Appearance', sound: 'Sound for new messages', logout: 'Sign out',
    offline: 'No connection to the server. Reconnecting; what you wrote is kept.', overdue: 'Needs attention: {n}',
  },
  theme: { auto: 'As the system', light: 'Light', dark: 'Dark' },
  palette: {
    placeholder: 'Customer, dialog number, section, action', places: 'Sections', actions: 'Actions', dialogs: 'Dialogs', customers: 'Customers',
    theme: 'Switch appearance',
  },
  keys: {
    next: 'Next', previous: 'Previous', open: 'Open', reply: 'Reply', note: 'Note', task: 'Create a task', assign: 'Assign', snooze: 'Snooze',
    close: 'Close or reopen', search: 'Search', card: 'Customer card', palette: 'Find anything', help: 'This map', escape: 'Back', goInbox: 'Dialogs',
    goTasks: 'Tasks', goCustomers: 'Customers', writing: 'While writing', send: 'Send', newline: 'New line', sendClose: 'Send and close the dialog',
    leave: 'Leave the field',
  },
  views: { mine: 'Mine', unassigned: 'Free', team: 'Teams', all: 'All' },
  inbox: {
    dialogs: 'Dialogs', views: 'Whose dialogs', search: 'Search dialogs', status: 'Status', channel: 'Channel', allChannels: 'All channels',
    statuses: { open: 'Open', snoozed: 'Snoozed', closed: 'Closed' }, compact: 'Compact list', comfortable: 'Roomy list', resize: 'Width of the list',
    you: 'You: ', draft: 'Draft ', noText: 'No text', waits: 'Waiting {time}', tasks: 'Tasks: {n}, nearest: {time}', unread: '{n} unread | {n} unread',
    nothingOpen: 'No dialog selected', nothingOpenHint: 'J and K move through the list, Enter opens.',
    empty: { mine: 'Nobody waits for you', unassigned: 'No free dialogs', team: 'Your teams have no dialogs', all: 'No dialogs' },
    emptyHint: {
      open: 'A dialog appears here as soon as a customer writes.', snoozed: 'Dialogs put aside until a time or an answer are kept here.',
      closed: 'Closed dialogs will be here.',
    },
    notFound: 'Nothing for “{q}”', dropFilters: 'Drop the filter', lookUnassigned: 'Look at free dialogs', failed: 'The list did not load',
  },
  thread: {
    messages: 'Customer thread', note: 'Note', noteFor: '· staff only', me: 'You', assign: 'Assign', assignTo: 'Hand over to', agents: 'Agents',
    teams: 'Teams', release: 'Release', nobody: 'Unassigned', snooze: 'Snooze', close: 'Close', reopen: 'Reopen', wake: 'Bring back now',
    card: 'Customer card', showCard: 'Show the customer card', viewing: '{names} here', typing: 'typing…', customerTyping: '{name} is typing…',
    agentTyping: '{name} is replying…', agentNoting: '{name} is writing a note…', closed: 'The dialog is closed', closedAt: 'Dialog closed: {time}',
    snoozedUntil: 'Snoozed: back {time}', snoozedReply: 'Snoozed until the customer answers', toCurrent: 'To the open dialog No. {n}',
    dialogNumber: 'Dialog No. {n}', anotherDialog: 'Another dialog', empty: 'No messages yet', failedToLoad: 'The thread did not load',
    arrived: 'New message: {text}', toBottom: 'To the latest', newMessages: '{n} new message | {n} new messages', reply: 'Reply to this message', copy: 'Copy',
    attachment: 'Attachment', file: 'File', automatic: 'automatic reply', edited: 'edited', showQuoted: 'Show quoted text', hideQuoted: 'Hide quoted text', asLetter: 'Show as a letter',
    asText: 'Show as text', letter: 'Letter', noPictures: 'Pictures from the internet are not loaded: they would tell the sender that the letter was opened.', unsupported: 'The channel sent something that cannot be shown here: {kind}',
    openPicture: 'Open picture {name}', previousPicture: 'Previous', nextPicture: 'Next', download: 'Download', play: 'Play', pause: 'Pause',
    position: 'Position', fileStates: { pending: 'Loading', unavailable: 'File unavailable', stored: 'File' },
  },
  unsupported: {
    poll: 'a poll', contact: 'a contact', location: 'a location', venue: 'a venue', dice: 'a dice', game: 'a game', story: 'a story', giveaway: 'a giveaway',
    invoice: 'an invoice', wall: 'a wall post', market: 'a product', gift: 'a gift', checklist: 'a checklist', paid_media: 'paid media', live_photo: 'a live photo', unknown: 'something unknown', link: 'a link', call: 'a call', event: 'an invitation',
  },
  delivery: {
    queued: 'Queued', sending: 'Sending', sent: 'Sent', delivered: 'Delivered', read: 'Read', failed: 'Not sent', unknown: 'Unknown whether it arrived',
    cancelled: 'Cancelled', leaves: 'Leaves in {n} s', scheduled: 'Leaves {time}', undo: 'Undo', again: 'Send again', back: 'Back to the field',
    unsaved: 'The server did not answer, the message was not sent',
  },
  reasons: {
    blocked: 'the customer does not accept messages', flood: 'the channel asks to slow down', too_long: 'the text is too long', unauthorized: 'access was revoked, a new key is needed',
    timeout: 'the channel did not answer in time', unreachable: 'the customer cannot be reached', too_large: 'the file is too large', file_gone: 'the file is gone', bad_file: 'the channel did not take the file',
    bad_answer: 'the channel gave an answer nobody understands', chat_gone: 'the chat is gone', chat_not_found: 'the chat was not found', no_chat: 'the chat was not found', connect: 'the channel could not be reached',
    empty: 'there is nothing to send', expired: 'the time is over', fetch: 'the file could not be fetched', forbidden: 'the channel forbids this', gateway: 'the channel is unavailable for the moment',
    interrupted: 'sending was interrupted, the outcome is unknown', lost_reply: 'the answer of the channel was lost, the outcome is unknown', no_address: 'the customer has no address', no_such_address: 'there is no such address',
    partial: 'only a part was sent', server: 'the channel has a fault', smtp_busy: 'the mail server is busy', smtp_later: 'the mail server asks to try later',
    smtp_login: 'the mail server refused the sign-in', imap_login: 'the mailbox refused the sign-in', imap_busy: 'the mailbox is busy', imap_refused: 'the mail server refused', upload: 'the file could not be handed over',
    proxy: 'the proxy does not answer', conflict: 'this bot is running somewhere else too', captcha: 'the platform asks to confirm that a person is writing', ca_bundle: 'the certificates file does not fit',
    no_group: 'the community was not found',
  },
  preview: { image: 'Picture', video: 'Video', audio: 'Audio', voice: 'Voice note', document: 'File', sticker: 'Sticker', empty: 'No text' },
  system: {
    other: 'Service event', program: 'Otklik',
    task: {
      created: 'Task No. {n} {title} created', finished: 'Task No. {n} {title} done', cancelled: 'Task No. {n} {title} cancelled',
      status: 'Task No. {n} {title}: new status', overdue: 'Task No. {n} {title} overdue',
    },
    identity: { linked: 'The customer joined one more contact' },
    customer: { started: 'The customer started the conversation', blocked: 'The customer stopped accepting messages', unblocked: 'The customer accepts messages again', joined: 'The customer came by a link' },
    dialog: { closed: '{who}: dialog closed', reopened: 'Dialog reopened', woken: 'The snoozed dialog is back', opened: 'Dialog opened' },
  },
  composer: {
    title: 'Reply', placeholder: 'Reply to the customer', notePlaceholder: 'Note for the staff', to: 'To {name}', noteTo: 'Note: the customer will not see it',
    toMessage: 'switch to message', note: 'Note for the staff', send: 'Send', save: 'Save', sendHint: 'Enter sends, Ctrl+Enter sends and closes', attach: 'Attach a file',
    noFiles: 'This channel takes no files', files: 'Attachments', removeFile: 'Remove {name}', uploading: 'Uploading {name}', tooLarge: 'Larger than {size}',
    tooLong: '{n} character too many | {n} characters too many', dropReply: 'Do not quote', changed: 'While you were writing, the customer sent something new.',
    anyway: 'Send anyway', readFirst: 'Read first', unreachable: 'unreachable', paused: 'channel not working', noRoutes: 'There is no way to write to this customer',
  },
  snooze: {
    reply: 'Until the customer answers', hour: 'For an hour', three: 'For three hours', evening: 'Until the evening', tomorrow: 'Until tomorrow',
    monday: 'Until Monday', own: 'Own time', set: 'Snooze',
  },
  deadline: { today: 'Today', tomorrow: 'Tomorrow', monday: 'Monday', week: 'In a week' },
  customer: {
    card: 'Customer card', nameless: 'No name', name: 'Name', phone: 'Phone', email: 'Email', about: 'About', add: 'Add', since: 'With us since', addContact: 'Add a contact', contactKind: 'Where', contactValue: 'Address or id',
    identities: 'Contacts', link: 'Link', linkHint: 'A one-time link: whoever opens it joins this customer in the chosen channel.', linkUntil: 'Valid until:',
    otherDialogs: 'Other dialogs', dialogs: 'Dialogs', search: 'Name, phone, email', none: 'Nobody found', noneHint: 'A customer appears when they write.',
    choose: 'No customer selected',
  },
  tasks: {
    one: 'Task', create: 'Create a task', fromMessage: 'Task from the message', new: 'New', what: 'What is to be done', name: 'Title', details: 'Details', owner: 'Owner',
    team: 'Team', noTeam: 'No team', deadline: 'Deadline', status: 'Status', save: 'Create', finish: 'Done',
    statuses: { todo: 'To do', in_progress: 'In progress', waiting: 'Waiting', done: 'Done', cancelled: 'Cancelled' },
    due: 'due {time}', overdue: 'The deadline has passed', overdueSince: 'overdue: {time}', finishedAt: 'finished {time}', finishedWord: 'Finished',
    createdBy: 'Created by {who},', views: 'Whose tasks', view: { mine: 'Mine', created: 'Created by me', team: 'Teams', overdue: 'Overdue', all: 'All' },
    phase: { unfinished: 'Unfinished', finished: 'Finished', any: 'Any' },
    empty: { mine: 'No tasks for you', created: 'You have not created any tasks', team: 'Your teams have no tasks', overdue: 'Nothing overdue', all: 'No tasks' },
    emptyHint: 'A task starts from a dialog with the T key, or here.',
  },
  settings: { profile: 'Profile', channels: 'Channels', agents: 'Agents', teams: 'Teams', tokens: 'API tokens', quarantine: 'Not understood' },
  profile: {
    name: 'Name', locale: 'Language', zone: 'Time zone', wrongZone: 'There is no such zone. Example: Europe/Moscow.', desk: 'Desk',
    soundHint: 'A soft tone when a customer writes to you or to nobody.', password: 'Password', currentPassword: 'Current password', newPassword: 'New password',
    changePassword: 'Change password', passwordChanged: 'Password changed', sessions: 'Sessions', logoutEverywhere: 'Sign out on all devices',
    logoutHint: 'On this one too: you will have to sign in again.',
  },
  roles: {
    agent: 'Agent', lead: 'Lead', admin: 'Administrator',
    hint: { agent: 'Sees own, team and free dialogs.', lead: 'Sees everything in own teams.', admin: 'Sees everything and configures.' },
  },
  agents: {
    add: 'Add', bot: 'Bot', botHint: 'An agent without a password: works with an API token.', role: 'Role', off: 'Inactive', reset: 'Issue a new password',
    deactivate: 'Deactivate', activate: 'Activate', passwordOf: 'Password: {name}', passwordHint: 'Shown once. It has to be changed at the first sign-in.', noTeams: 'No teams yet.',
  },
  teams: {
    add: 'Add', hint: 'A team shares a queue: all its members see its dialogs.', name: 'Name', members: 'Members', nobody: 'Nobody', none: 'No teams yet',
    removeTitle: 'Delete the team “{name}”?', removeText: 'Its dialogs and tasks will have no team. This cannot be undone.',
  },
  tokens: {
    add: 'Create', hint: 'A token lets a program use the API on behalf of an agent.', docs: 'API reference', made: 'New token', once: 'Keep it: it will not be shown again.',
    name: 'What for', scopes: 'Allowed', owner: 'On behalf of', create: 'Create a token', seen: 'last used', unused: 'never used', none: 'No tokens yet', revoke: 'Revoke',
    revokeTitle: 'Revoke the token “{name}”?', revokeText: 'Programs with this token lose access at once.',
    scope: { read: 'read', write: 'answer and change', admin: 'configure', inbound: 'pass on customers’ messages' },
  },
  quarantine: {
    hint: 'Events of channels that could not be understood. Nothing is lost: replay them when the cause is gone.', none: 'Everything is understood', raw: 'As received',
    replay: 'Replay', attempts: '{n} attempt | {n} attempts',
  },
  kinds: {
    telegram: 'Telegram', vk: 'VK', email: 'Email', webchat: 'Site chat', api: 'API channel',
    hint: { telegram: 'A Telegram bot', vk: 'Messages of a community', email: 'A mailbox over IMAP and SMTP', webchat: 'A chat window on your site', api: 'Your bot or service' },
    how: {
      telegram: 'Create a bot with {\'@\'}BotFather and paste its token.', vk: 'In the community: Manage → API usage. A key with the right to messages is needed.',
      email: 'Your mail provider tells the server addresses. Often a separate app password is needed.', webchat: 'After connecting you get the code for your site.',
      api: 'The service posts customers’ messages and gets the answers by webhook.',
    },
  },
  channels: {
    connect: 'Connect', connectNow: 'Check and connect', checking: 'Checking', which: 'Where do customers write from?', name: 'Name for the staff', more: 'More',
    none: 'No channels yet', noneHint: 'Connect the first: customers can write at once.', teams: 'Who answers',
    teamsHint: 'These teams see the free dialogs of the channel. None chosen: everybody does.', noTeams: 'No teams yet: everybody sees the dialogs of the channel.',
    states: { active: 'Working', paused: 'Paused', stopped: 'Stopped', troubled: 'Has errors' }, seen: 'last contact', pause: 'Pause', resume: 'Resume',
    check: 'Check the connection', checked: 'The connection works', demo: 'Open the example chat', embed: 'Code for the site', embedHint: 'Put it before the closing body tag.',
    webhook: 'Webhook address', webhookHint: 'Keep it secret: events are accepted at it.', secretKept: 'Stored. Leave empty to keep it.',
    removeTitle: 'Delete the channel “{name}”?', removeText: 'Only a channel that never carried a message can be deleted. Pause the others.',
  },
  fields: {
    any: {
      http_base_url: { title: 'Another API address', hint: 'Empty: the platform’s usual address.' }, http_ca_bundle: { title: 'Certificates file (PEM)', hint: '' },
      http_proxy: { title: 'Proxy', hint: 'http://, https:// or socks5://' }, http_timeout: { title: 'Wait for an answer, seconds', hint: '' }, token: { title: 'Token', hint: '' },
      mode: { title: 'How events are received', hint: '' },
    },
  },
  errors: {
    bug: 'Something broke on this page. Reload it.', unknown: 'It did not work. Try again.', offline: 'No connection to the server. Try again.',
    timeout: 'The server takes too long. Try again.', not_found: 'It is gone, or you may not see it.', forbidden: 'You are not allowed to do this.', unauthenticated: 'Sign in again.',
    wrong_login: 'Email or password do not match.', conflict: 'Somebody has changed it already. Look again.', dialog_changed: 'A new message has arrived.',
    invalid: 'This is not possible: check what you entered.', malformed: 'Check the fields.', too_large: 'Too large.', too_many_requests: 'Too many attempts. Wait a minute.',
    unavailable: 'The server cannot do this now. Try later.', channel_refused: 'The platform refused:', channel_exists: 'This account is connected already.',
    dialog_closed: 'The dialog is closed. Reopen it.', customer_has_dialog: 'The customer has an open dialog already.', identity_unreachable: 'The customer cannot be reached by this contact.',
    channel_paused: 'The channel is not working.', cannot_cancel: 'Too late: the message is leaving.', cannot_resend: 'This message cannot be sent again.', name_taken: 'This name is taken.',
    email_taken: 'This email is taken.', last_admin: 'At least one administrator is needed.', csrf: 'Reload the page and try again.',
    idempotency_mismatch: 'The repeat differs from the first request. Reload the page.', weak_password: 'The password is too simple.', wrong_password: 'The current password does not match.',
  },
}

export default en
