"""The sentences of all findings: what it is, why it matters, what to do; in English and Russian."""

Texts = tuple[str, str, str]

WORDS: dict[str, dict[str, Texts]] = {
    "queue_late": {
        "en": (
            "{depth} wait, the oldest for {age} s (limit {limit} s).",
            "The loop `{loop}` of `otklik work` should have taken it. Living workers: {workers}.",
            "Start `otklik work` if none lives; else see the log at loop.failed, or start another one.",
        ),
        "ru": (
            "Ждут: {depth}, самое старое — {age} с (предел {limit} с).",
            "Это должен был взять цикл `{loop}` программы `otklik work`. Живые процессы: {workers}.",
            "Если живых нет, запустите `otklik work`; иначе смотрите журнал (loop.failed) или добавьте ещё.",
        ),
    },
    "quarantined": {
        "en": (
            "{depth} events could not be understood, the oldest {age} s ago.",
            "Their messages are in no thread: customers wait for answers nobody can give.",
            "`otklik inbound list` tells the reasons; after an update `otklik inbound replay --all`.",
        ),
        "ru": (
            "Не удалось понять событий: {depth}, самое старое — {age} с назад.",
            "Их сообщений нет ни в одной ленте: клиенты ждут ответа, которого никто не даст.",
            "Причины покажет `otklik inbound list`; после обновления — `otklik inbound replay --all`.",
        ),
    },
    "worker_dead": {
        "en": (
            "It has said nothing for {age} s.",
            "It died without saying goodbye, or cannot reach the database; its channels move on after 20 s.",
            "Look at its log; if it was stopped on purpose, this line goes away within an hour.",
        ),
        "ru": (
            "Молчит уже {age} с.",
            "Процесс умер не прощаясь или не достаёт до базы; его каналы через 20 с забирает другой.",
            "Посмотрите его журнал; если он остановлен намеренно, строка исчезнет в течение часа.",
        ),
    },
    "loops_failing": {
        "en": (
            "The loops {loops} fail.",
            "What they do is not done, or only by other workers.",
            "Its log at loop.failed has the traceback.",
        ),
        "ru": (
            "Падают циклы {loops}.",
            "Их работа стоит или делается только другими процессами.",
            "В его журнале, в записи loop.failed, — где именно.",
        ),
    },
    "channel_stopped": {
        "en": (
            "Its platform refused our credentials: {error}",
            "Nothing comes in or goes out by it; answers wait.",
            "Put a new token or password into Settings → Channels; waiting answers then leave.",
        ),
        "ru": (
            "Платформа не принимает наш ключ: {error}",
            "По каналу ничего не приходит и не уходит; ответы ждут.",
            "Задайте новый токен или пароль в «Настройки → Каналы»; ждущие ответы уйдут сами.",
        ),
    },
    "channel_paused": {
        "en": (
            "Somebody paused it.",
            "Nothing comes in or goes out by it.",
            "Resume it in Settings → Channels when that is not meant.",
        ),
        "ru": (
            "Кто-то поставил его на паузу.",
            "По каналу ничего не приходит и не уходит.",
            "Если это не нарочно, включите его в «Настройки → Каналы».",
        ),
    },
    "channel_silent": {
        "en": (
            "No contact with its platform for {age} s, though {holder} pulls it.",
            "Messages of customers wait at the platform.",
            "`otklik channel check ID` makes a real call and says what is wrong: network, proxy, platform.",
        ),
        "ru": (
            "Нет связи с платформой {age} с, хотя канал опрашивает {holder}.",
            "Сообщения клиентов ждут на стороне платформы.",
            "`otklik channel check ID` сделает настоящий вызов и скажет причину: сеть, прокси, платформа.",
        ),
    },
    "channel_not_pulled": {
        "en": (
            "Nobody holds its lease.",
            "It is pulled by no process: nothing comes in.",
            "Start `otklik work`; if one lives, see its log at pull.failed.",
        ),
        "ru": (
            "Его никто не опрашивает.",
            "Ни один процесс не держит канал: ничего не приходит.",
            "Запустите `otklik work`; если он жив, смотрите его журнал (pull.failed).",
        ),
    },
    "feed_held": {
        "en": (
            "A transaction that writes is open for {age} s ({state}); its statement: {statement}",
            "No console, program or webhook hears of anything that happened since, until it ends.",
            "Let it end, or end it: select pg_terminate_backend({pid})",
        ),
        "ru": (
            "Пишущая транзакция открыта {age} с ({state}); её запрос: {statement}",
            "Пока она не кончится, консоли и программы не узнают ни о чём, что случилось после её начала.",
            "Завершите её: select pg_terminate_backend({pid})",
        ),
    },
    "transaction_old": {
        "en": (
            "A transaction is open for {age} s ({state}); its statement: {statement}",
            "Autovacuum cannot remove what was deleted since: tables and indexes grow.",
            "Let it end, or end it: select pg_terminate_backend({pid})",
        ),
        "ru": (
            "Транзакция открыта {age} с ({state}); её запрос: {statement}",
            "Автоочистка не может убрать удалённое с тех пор: таблицы и индексы растут.",
            "Завершите её: select pg_terminate_backend({pid})",
        ),
    },
    "prepared": {
        "en": (
            "A prepared transaction is left since {age} s.",
            "It holds the feed of all consoles back, and locks, for ever.",
            "rollback prepared '{gid}'",
        ),
        "ru": (
            "Подготовленная транзакция висит {age} с.",
            "Она держит ленту всех консолей и блокировки, пока её не отменят.",
            "rollback prepared '{gid}'",
        ),
    },
    "lock_wait": {
        "en": (
            "It waits for a lock for {age} s; process {blocker} holds it. Its statement: {statement}",
            "Whoever needs the same row or table waits as well.",
            "See what process {blocker} does; end it: select pg_terminate_backend({blocker})",
        ),
        "ru": (
            "Ждёт блокировку {age} с; её держит процесс {blocker}. Запрос: {statement}",
            "Ждёт и каждый, кому нужна та же строка или таблица.",
            "Посмотрите, чем занят процесс {blocker}; завершить: select pg_terminate_backend({blocker})",
        ),
    },
    "connections": {
        "en": (
            "{used} of {most} connections are taken, {ours} of them by Otklik.",
            "When none is left, processes cannot start and requests get 503.",
            "Raise max_connections, or lower OTKLIK_POOL_SIZE: a process takes up to twice of it.",
        ),
        "ru": (
            "Занято соединений: {used} из {most}, из них Откликом — {ours}.",
            "Когда они кончатся, процессы не запустятся, а запросы получат 503.",
            "Увеличьте max_connections или уменьшите OTKLIK_POOL_SIZE: процесс берёт до двух таких чисел.",
        ),
    },
    "pool_full": {
        "en": (
            "All {size} connections of the pool are in use.",
            "Work waits for a connection instead of for the database.",
            "Look for slow statements and locks first; then raise OTKLIK_POOL_SIZE.",
        ),
        "ru": (
            "Все соединения пула заняты ({size}).",
            "Работа ждёт соединения, а не базу.",
            "Сначала найдите медленные запросы и блокировки; потом увеличьте OTKLIK_POOL_SIZE.",
        ),
    },
    "dead_rows": {
        "en": (
            "{dead} dead rows beside {live} living; last vacuumed: {vacuumed}.",
            "Reading goes through what is dead: lists and queues become slow.",
            "VACUUM (ANALYZE) {table}; if it comes again, make autovacuum more eager for this table.",
        ),
        "ru": (
            "Мёртвых строк {dead} при {live} живых; последняя очистка: {vacuumed}.",
            "Чтение идёт и по мёртвым строкам: списки и очереди замедляются.",
            "VACUUM (ANALYZE) {table}; если повторится, сделайте автоочистку этой таблицы чаще.",
        ),
    },
    "default_partition": {
        "en": (
            "Rows lie in the default partition.",
            "The month they belong to was not created in time; they are not dropped by retention.",
            "Is `otklik work` running (its loop housekeeping creates months ahead)? See its log.",
        ),
        "ru": (
            "В разделе по умолчанию есть строки.",
            "Раздел их месяца не был создан вовремя; по сроку хранения они не удалятся.",
            "Работает ли `otklik work` (цикл housekeeping создаёт месяцы заранее)? Смотрите его журнал.",
        ),
    },
    "disk_low": {
        "en": (
            "{free} MB are free.",
            "When it is full nothing can be stored: platforms get 503 and repeat for some hours only.",
            "Make room; what takes most: attachments, and raw events (OTKLIK_KEEP_RAW_DAYS).",
        ),
        "ru": (
            "Свободно {free} МБ.",
            "Когда место кончится, ничего не сохранится: платформы получат 503 и повторят, но недолго.",
            "Освободите место; больше всего занимают вложения и сырые события (OTKLIK_KEEP_RAW_DAYS).",
        ),
    },
    "disk_slow": {
        "en": (
            "Writing through to the disk takes {milliseconds} ms.",
            "Every message waits for that at its commit.",
            "Use an SSD that keeps its cache at power loss; no network share.",
        ),
        "ru": (
            "Запись на диск со сбросом занимает {milliseconds} мс.",
            "Столько при сохранении ждёт каждое сообщение.",
            "Нужен SSD с защитой кеша от потери питания; не сетевой диск.",
        ),
    },
    "slow_statement": {
        "en": (
            "{mean} ms on average, {calls} times: {statement}",
            "It takes {share} % of the database's time.",
            "Is the table vacuumed and analysed? Else report it, with EXPLAIN (ANALYZE, BUFFERS).",
        ),
        "ru": (
            "В среднем {mean} мс, раз: {calls}; запрос: {statement}",
            "Он занимает {share} % времени базы.",
            "Очищена ли и проанализирована ли таблица? Иначе сообщите о нём с EXPLAIN (ANALYZE, BUFFERS).",
        ),
    },
    "pool_and_cores": {
        "en": (
            "OTKLIK_POOL_SIZE is {size} on {cores} cores.",
            "More than about four connections per core make everything slower, not faster.",
            "Set OTKLIK_POOL_SIZE to {better}, unless the database has many more cores.",
        ),
        "ru": (
            "OTKLIK_POOL_SIZE — {size} при {cores} ядрах.",
            "Больше примерно четырёх соединений на ядро замедляют работу, а не ускоряют.",
            "Задайте OTKLIK_POOL_SIZE={better}, если у базы не намного больше ядер.",
        ),
    },
    "server_setting": {
        "en": (
            "{name} is {value}.",
            "{why_en}",
            "Set it to {better} in the server's configuration.",
        ),
        "ru": (
            "{name} — {value}.",
            "{why_ru}",
            "Задайте {better} в настройках сервера.",
        ),
    },
    "clock": {
        "en": (
            "The clocks of this machine and of the database differ by {seconds} s.",
            "Logins, leases and answers that wait go by the one, screens by the other.",
            "Run a time service (chrony, systemd-timesyncd) on both.",
        ),
        "ru": (
            "Часы этой машины и базы расходятся на {seconds} с.",
            "Сроки и ожидания считаются по одним часам, экраны — по другим.",
            "Включите службу времени (chrony, systemd-timesyncd) на обеих.",
        ),
    },
    "not_looked": {
        "en": (
            "This could not be looked at: {reason}.",
            "A trouble there would not be told.",
            "Give the database user the role pg_monitor, or look as its owner.",
        ),
        "ru": (
            "Не удалось посмотреть: {reason}.",
            "О неполадке здесь не будет сказано.",
            "Дайте пользователю базы роль pg_monitor или смотрите от имени владельца.",
        ),
    },
}  # fmt: skip
