-- Wireshark dissector of Hashike TLV (docs/protocol.md). Clauses are cited as there.
--
-- Install: copy it into the folder that Help > About > Folders names as "Personal Lua Plugins", or
--     tshark -X lua_script:scripts/hashike.lua -r capture.pcapng -Y hashike
--
-- It takes TCP and UDP at the port of the preference (7858), WebSocket messages of the sub-protocol hashike.tlv.1, and frames of a
-- serial line in captures of link type USER0. It guesses nothing: at another port use "Decode As".

-- Generated from src/wire/numbers.ts by scripts/generate-docs.ts: begin
local default_port = 7858
local first_content_type = 0x8000
local message_types = {
  [0x0001] = "CONNECT_TOKEN",
  [0x0002] = "CONNECT_RESUME",
  [0x0003] = "CONNACK_SUCCESS",
  [0x0004] = "CONNACK_RESUMED",
  [0x0010] = "CONNACK_FAILED",
  [0x0011] = "CONNACK_FAILED_TOKEN_ERROR",
  [0x0012] = "CONNACK_FAILED_SESSION_EXPIRED",
  [0x0013] = "CONNACK_FAILED_BUSY",
  [0x0014] = "CONNACK_FAILED_VERSION",
  [0x0020] = "SUBSCRIBE",
  [0x0021] = "UNSUBSCRIBE",
  [0x0022] = "PUBLISH",
  [0x0023] = "ACK",
  [0x0024] = "REJECTED",
  [0x0025] = "CONFIRMED",
  [0x0030] = "WATCH",
  [0x0031] = "UNWATCH",
  [0x0032] = "PRESENCE_JOINED",
  [0x0033] = "PRESENCE_LEFT",
  [0x0034] = "LIST_SUBSCRIBERS",
  [0x0035] = "SUBSCRIBERS",
  [0x0040] = "TIME_REQUEST",
  [0x0041] = "TIME",
  [0x0042] = "PING",
  [0x0043] = "PONG",
  [0x0050] = "UDP_OPEN",
  [0x0051] = "UDP_TICKET",
  [0x0052] = "UDP_PROBE",
  [0x0053] = "UDP_CONFIRM",
  [0x0060] = "ALIAS",
  [0x007f] = "DISCONNECT",
}
local section_types = {
  [0x0101] = { name = "TOKEN", kind = "bytes", least = 1, most = 1024 },
  [0x0102] = { name = "KEEP_ALIVE", kind = "u32", least = 4, most = 4 },
  [0x0103] = { name = "CLIENT_ID", kind = "text", least = 0, most = 65528 },
  [0x0104] = { name = "SESSION_ID", kind = "bytes", least = 8, most = 8 },
  [0x0105] = { name = "MESSAGE_ID", kind = "u32", least = 4, most = 4 },
  [0x0106] = { name = "TOPIC", kind = "text", least = 0, most = 65528 },
  [0x0107] = { name = "REASON", kind = "reason", least = 2, most = 65528 },
  [0x0108] = { name = "RESUME_KEY", kind = "bytes", least = 16, most = 16 },
  [0x0109] = { name = "RESUME_WINDOW", kind = "u32", least = 4, most = 4 },
  [0x010a] = { name = "SERVER_TIME", kind = "u64", least = 8, most = 8 },
  [0x010b] = { name = "REQUEST_ID", kind = "u32", least = 4, most = 4 },
  [0x010c] = { name = "ECHO", kind = "u32", least = 4, most = 4 },
  [0x010d] = { name = "CLIENT_NAME", kind = "text", least = 1, most = 64 },
  [0x010e] = { name = "VERSION", kind = "u16", least = 2, most = 2 },
  [0x010f] = { name = "RETRY_AFTER", kind = "u32", least = 4, most = 4 },
  [0x0110] = { name = "WILL", kind = "nested", least = 0, most = 65528 },
  [0x0111] = { name = "RETAIN", kind = "flag", least = 0, most = 0 },
  [0x0112] = { name = "EXPIRY", kind = "u32", least = 4, most = 4 },
  [0x0113] = { name = "RESPONSE_TOPIC", kind = "text", least = 0, most = 65528 },
  [0x0114] = { name = "CORRELATION", kind = "bytes", least = 0, most = 65528 },
  [0x0115] = { name = "BEST_EFFORT", kind = "flag", least = 0, most = 0 },
  [0x0116] = { name = "ALIAS_ID", kind = "u8", least = 1, most = 1 },
  [0x0117] = { name = "LAYOUT", kind = "layout", least = 0, most = 65528 },
  [0x0118] = { name = "CONNECTION_ID", kind = "bytes", least = 2, most = 8 },
  [0x0119] = { name = "KEY", kind = "bytes", least = 24, most = 24 },
  [0x011a] = { name = "PORT", kind = "u16", least = 2, most = 2 },
  [0x011b] = { name = "CONFIRM", kind = "flag", least = 0, most = 0 },
  [0x011c] = { name = "ALIAS_ENTRY", kind = "nested", least = 0, most = 65528 },
}
local reasons = {
  [0] = "NORMAL",
  [1] = "PROTOCOL_ERROR",
  [2] = "KEEP_ALIVE_TIMEOUT",
  [3] = "TAKEN_OVER",
  [4] = "SHUTTING_DOWN",
  [5] = "SLOW_CONSUMER",
  [6] = "NOT_ALLOWED",
  [7] = "INVALID_TOPIC",
  [8] = "LIMIT",
  [9] = "UNSUPPORTED",
  [10] = "TOKEN_ERROR",
  [12] = "HANDSHAKE_TIMEOUT",
  [13] = "STATE_LOST",
}
local short_kinds = {
  [0] = "PUBLISH",
  [1] = "PUBLISH_RELIABLE",
  [2] = "PUBLISH_BATCH",
  [3] = "ACK",
  [4] = "PING",
  [5] = "RESET",
  [6] = "RESUME",
  [7] = "FRAGMENT",
}
-- Generated: end

local long = Proto("hashike", "Hashike TLV")
local serial = Proto("hashike_serial", "Hashike serial line")
local datagram = Proto("hashike_datagram", "Hashike datagram")

long.prefs.port = Pref.uint("Port", default_port, "TCP and UDP port of the gateway")

-- Fields ----------------------------------------------------------------------------------------------------------

local function names_by_number(table)
  local names = {}
  for number, entry in pairs(table) do
    names[number] = type(entry) == "table" and entry.name or entry
  end
  return names
end

local section_names = names_by_number(section_types)

local field = {
  type = ProtoField.uint16("hashike.type", "MessageType", base.HEX, message_types),
  length = ProtoField.uint16("hashike.length", "Length", base.DEC),
  timestamp = ProtoField.uint32("hashike.timestamp", "Timestamp (ms)", base.DEC),
  section = ProtoField.none("hashike.section", "Section"),
  section_type = ProtoField.uint16("hashike.section.type", "SectionType", base.HEX, section_names),
  section_length = ProtoField.uint16("hashike.section.length", "Length", base.DEC),
  padding = ProtoField.bytes("hashike.section.padding", "Padding"),
  content = ProtoField.bytes("hashike.content", "Content"),
  unknown = ProtoField.bytes("hashike.unknown", "Value of an unknown section"),
  reason_code = ProtoField.uint16("hashike.reason.code", "Code", base.DEC, reasons),
  reason_text = ProtoField.string("hashike.reason.text", "Text"),
  layout_type = ProtoField.uint16("hashike.layout.type", "Content type", base.HEX),
  layout_length = ProtoField.uint8("hashike.layout.length", "Length (0: the rest)", base.DEC),
  -- Short form (clause 6.1).
  kind = ProtoField.uint8("hashike.kind", "Kind", base.DEC, short_kinds, 0x70),
  alias = ProtoField.uint8("hashike.alias", "Alias", base.DEC),
  id8 = ProtoField.uint8("hashike.id8", "id8", base.DEC),
  count = ProtoField.uint8("hashike.count", "Count", base.DEC),
  readings = ProtoField.bytes("hashike.readings", "Readings"),
  values = ProtoField.bytes("hashike.values", "Values of the layout"),
  confirmed = ProtoField.bool("hashike.confirmed", "CONFIRMED", 8, nil, 0x02),
  credit = ProtoField.uint8("hashike.credit", "Credit", base.DEC),
  pong = ProtoField.bool("hashike.pong", "PONG", 8, nil, 0x01),
  echo_byte = ProtoField.uint8("hashike.echo8", "Echo", base.DEC),
  answer = ProtoField.bool("hashike.answer", "Answers a RESUME", 8, nil, 0x01),
  session16 = ProtoField.uint16("hashike.session16", "Last two bytes of the SESSION_ID", base.HEX),
  last = ProtoField.bool("hashike.last", "Last fragment", 8, nil, 0x01),
  index = ProtoField.uint8("hashike.index", "Index", base.DEC),
  fragment = ProtoField.bytes("hashike.fragment", "Fragment"),
}

local make_field = {
  u8 = function(filter, name) return ProtoField.uint8(filter, name, base.DEC) end,
  u16 = function(filter, name) return ProtoField.uint16(filter, name, base.DEC) end,
  u32 = function(filter, name) return ProtoField.uint32(filter, name, base.DEC) end,
  u64 = function(filter, name) return ProtoField.uint64(filter, name, base.DEC) end,
  text = function(filter, name) return ProtoField.string(filter, name) end,
  bytes = function(filter, name) return ProtoField.bytes(filter, name) end,
  flag = function(filter, name) return ProtoField.bool(filter, name) end,
  reason = function(filter, name) return ProtoField.none(filter, name) end,
  layout = function(filter, name) return ProtoField.none(filter, name) end,
  nested = function(filter, name) return ProtoField.none(filter, name) end,
}

-- One field a section: hashike.message_id, hashike.topic and so on.
local value_field = {}
for number, section in pairs(section_types) do
  value_field[number] = make_field[section.kind]("hashike." .. section.name:lower(), section.name)
end

local malformed = ProtoExpert.new("hashike.malformed", "Against the specification", expert.group.MALFORMED, expert.severity.ERROR)
long.experts = { malformed }

local all_fields = {}
for _, each in pairs(field) do all_fields[#all_fields + 1] = each end
for _, each in pairs(value_field) do all_fields[#all_fields + 1] = each end
long.fields = all_fields

-- Long form (clauses 3 and 4) -----------------------------------------------------------------------------------------------------

local dissect_sections

-- What stands in a section's value, by its kind; `tree` is the section's own.
local show_value = {
  text = function(tree, shown, value) tree:add_packet_field(shown, value, ENC_UTF_8 + ENC_STRING) end,
  reason = function(tree, shown, value)
    local reason = tree:add(shown, value)
    reason:add(field.reason_code, value(0, 2))
    if value:len() > 2 then reason:add_packet_field(field.reason_text, value(2), ENC_UTF_8 + ENC_STRING) end
  end,
  layout = function(tree, shown, value)
    local layout = tree:add(shown, value)
    for at = 0, value:len() - 3, 3 do
      layout:add(field.layout_type, value(at, 2))
      layout:add(field.layout_length, value(at + 2, 1))
    end
  end,
  nested = function(tree, shown, value) dissect_sections(value, tree:add(shown, value)) end,
}

local function show_plain(tree, shown, value)
  tree:add(shown, value)
end

local function dissect_section(tvb, tree, at)
  local number = tvb(at, 2):uint()
  local length = tvb(at + 2, 2):uint()
  local padded = math.ceil(length / 4) * 4
  local known = section_types[number]
  local name = known and known.name or (number >= first_content_type and "content" or "unknown section")
  local left = tvb:len() - at - 4
  local section = tree:add(field.section, tvb(at, 4 + math.min(padded, left)))
  section:set_text(string.format("%s (0x%04x)", name, number))
  section:add(field.section_type, tvb(at, 2))
  section:add(field.section_length, tvb(at + 2, 2))
  if padded > left then
    section:add_proto_expert_info(malformed, "The section is cut short")
    return tvb:len()
  end
  if known and (length < known.least or length > known.most) then
    section:add_proto_expert_info(malformed, string.format("The value of %s has %d bytes", known.name, length))
  elseif known and known.kind == "flag" then
    section:add(value_field[number], tvb(at, 4), true)
  elseif length > 0 then
    local value = tvb(at + 4, length)
    if known then
      (show_value[known.kind] or show_plain)(section, value_field[number], value)
    else
      section:add(number >= first_content_type and field.content or field.unknown, value)
    end
  end
  if number < 0x0100 then section:add_proto_expert_info(malformed, "A section has a type that belongs to messages") end
  if padded > length then
    local padding = tvb(at + 4 + length, padded - length)
    section:add(field.padding, padding)
    for index = 0, padding:len() - 1 do
      if padding(index, 1):uint() ~= 0 then
        section:add_proto_expert_info(malformed, "The padding is not zero")
        break
      end
    end
  end
  return at + 4 + padded
end

-- `tvb` is a range that holds sections and nothing else.
dissect_sections = function(tvb, tree)
  local at = 0
  while at + 4 <= tvb:len() do at = dissect_section(tvb, tree, at) end
  if at < tvb:len() then tree:add_proto_expert_info(malformed, "A section header is cut short") end
end

local function append_info(pinfo, text)
  pinfo.cols.protocol = "Hashike"
  local before = tostring(pinfo.cols.info)
  if before ~= "" and before:find("^%u[%u%d_]*[, %u%d_]*$") then
    pinfo.cols.info:append(", " .. text)
  else
    pinfo.cols.info:set(text)
  end
end

-- One whole message.
local function dissect_message(tvb, pinfo, root)
  local number = tvb(0, 2):uint()
  local length = tvb(2, 2):uint()
  local name = message_types[number]
  local tree = root:add(long, tvb(), "Hashike TLV, " .. (name or string.format("unknown type 0x%04x", number)))
  tree:add(field.type, tvb(0, 2))
  tree:add(field.length, tvb(2, 2))
  tree:add(field.timestamp, tvb(4, 4))
  if not name then tree:add_proto_expert_info(malformed, "The type of the message is unknown") end
  if length % 4 ~= 0 then tree:add_proto_expert_info(malformed, "The length is no multiple of 4") end
  if length ~= tvb:len() - 8 then
    tree:add_proto_expert_info(malformed, "The length is not that of the frame")
  end
  if tvb:len() > 8 then dissect_sections(tvb(8), tree) end
  append_info(pinfo, name or "UNKNOWN")
  return tvb:len()
end

-- Short form (clause 6) ------------------------------------------------------------------------------------------------------------

local function dissect_short(tvb, pinfo, root)
  local first = tvb(0, 1):uint()
  local kind = math.floor(first / 16) % 8
  local low = first % 16
  local name = short_kinds[kind]
  local tree = root:add(long, tvb(), "Hashike TLV, short form, " .. name)
  tree:add(field.kind, tvb(0, 1))
  append_info(pinfo, name)
  local at = 1
  local function has(bytes)
    if at + bytes <= tvb:len() then return true end
    tree:add_proto_expert_info(malformed, "The frame is cut short")
    return false
  end
  local function take(shown, bytes)
    if not has(bytes) then return false end
    tree:add(shown, tvb(at, bytes))
    at = at + bytes
    return true
  end
  local function rest(shown)
    if at < tvb:len() then tree:add(shown, tvb(at)) end
    at = tvb:len()
  end
  if kind <= 2 then
    if low < 15 then
      tree:add(field.alias, tvb(0, 1), low)
    elseif not take(field.alias, 1) then
      return tvb:len()
    end
    if kind > 0 and not take(field.id8, 1) then return tvb:len() end
    if kind == 2 then
      if take(field.count, 1) then rest(field.readings) end
    else
      rest(field.values)
    end
  elseif kind == 3 then
    tree:add(field.confirmed, tvb(0, 1))
    if take(field.id8, 1) and low % 2 == 1 then take(field.credit, 1) end
  elseif kind == 4 then
    tree:add(field.pong, tvb(0, 1))
    take(field.echo_byte, 1)
  elseif kind == 6 then
    tree:add(field.answer, tvb(0, 1))
    if take(field.session16, 2) then take(field.id8, 1) end
  elseif kind == 7 then
    tree:add(field.last, tvb(0, 1))
    if take(field.id8, 1) and take(field.index, 1) then rest(field.fragment) end
  end
  if at < tvb:len() then tree:add_proto_expert_info(malformed, "Bytes stand after the end of the frame") end
  return tvb:len()
end

-- One frame of either form: the top bit of the first byte tells them apart (clause 1.3).
local function dissect_frame(tvb, pinfo, root)
  if tvb(0, 1):uint() >= 0x80 then return dissect_short(tvb, pinfo, root) end
  if tvb:len() >= 8 then return dissect_message(tvb, pinfo, root) end
  root:add(long, tvb(), "Hashike TLV"):add_proto_expert_info(malformed, "The message is cut short")
  return tvb:len()
end

-- TCP and WebSocket -------------------------------------------------------------------------------------------------------------------

local function message_length(tvb, _, offset)
  return 8 + tvb(offset + 2, 2):uint()
end

function long.dissector(tvb, pinfo, root)
  -- In a WebSocket the messages are whole; TCP joins them.
  if pinfo.can_desegment > 0 then
    dissect_tcp_pdus(tvb, root, 8, message_length, dissect_message)
    return tvb:len()
  end
  local at = 0
  while at + 8 <= tvb:len() do
    local length = math.min(message_length(tvb, pinfo, at), tvb:len() - at)
    at = at + dissect_message(tvb(at, length):tvb(), pinfo, root)
  end
  return tvb:len()
end

-- Serial lines (clause 7) ---------------------------------------------------------------------------------------------------------------

local serial_field = {
  stuffed = ProtoField.bytes("hashike_serial.stuffed", "Stuffed bytes"),
  crc = ProtoField.uint16("hashike_serial.crc", "CRC-16", base.HEX),
}
serial.fields = { serial_field.stuffed, serial_field.crc }
local bad_stuffing = ProtoExpert.new("hashike_serial.bad_cobs", "Bad COBS stuffing", expert.group.MALFORMED, expert.severity.ERROR)
local bad_crc = ProtoExpert.new("hashike_serial.bad_crc", "Bad CRC", expert.group.CHECKSUM, expert.severity.ERROR)
local too_short = ProtoExpert.new("hashike_serial.empty", "Empty frame", expert.group.MALFORMED, expert.severity.WARN)
serial.experts = { bad_stuffing, bad_crc, too_short }

-- The bytes that `stuffed`, a table, stands for, or nil.
local function unstuff(stuffed)
  local bytes = {}
  local at = 1
  while at <= #stuffed do
    local code = stuffed[at]
    if code == 0 or at + code > #stuffed + 1 then return nil end
    for index = at + 1, at + code - 1 do
      if stuffed[index] == 0 then return nil end
      bytes[#bytes + 1] = stuffed[index]
    end
    at = at + code
    if code < 0xff and at <= #stuffed then bytes[#bytes + 1] = 0 end
  end
  return bytes
end

-- CRC-16/CCITT-FALSE of the first `length` of `bytes`.
local function crc16(bytes, length)
  local crc = 0xffff
  for index = 1, length do
    crc = bit.bxor(crc, bytes[index] * 256)
    for _ = 1, 8 do
      crc = crc * 2
      if crc >= 0x10000 then crc = bit.bxor(crc - 0x10000, 0x1021) end
    end
  end
  return crc
end

local function dissect_line_frame(range, pinfo, root)
  local tree = root:add(serial, range)
  tree:add(serial_field.stuffed, range)
  local stuffed = {}
  for index = 0, range:len() - 1 do stuffed[index + 1] = range(index, 1):uint() end
  local bytes = unstuff(stuffed)
  if not bytes then return tree:add_proto_expert_info(bad_stuffing) end
  if #bytes <= 2 then return tree:add_proto_expert_info(too_short) end
  local frame = ByteArray.new()
  frame:set_size(#bytes)
  for index, byte in ipairs(bytes) do frame:set_index(index - 1, byte) end
  local tvb = frame:tvb("Serial frame")
  local length = #bytes - 2
  tree:add(serial_field.crc, tvb(length, 2))
  if crc16(bytes, length) ~= tvb(length, 2):uint() then return tree:add_proto_expert_info(bad_crc) end
  return dissect_frame(tvb(0, length):tvb(), pinfo, root)
end

-- A packet holds whole frames, each closed by 0x00, which the last one may lack.
function serial.dissector(tvb, pinfo, root)
  pinfo.cols.protocol = "Hashike"
  local start = 0
  for at = 0, tvb:len() - 1 do
    if tvb(at, 1):uint() == 0 then
      if at > start then dissect_line_frame(tvb(start, at - start), pinfo, root) end
      start = at + 1
    end
  end
  if start < tvb:len() then dissect_line_frame(tvb(start), pinfo, root) end
  return tvb:len()
end

-- Datagrams (clause 8) --------------------------------------------------------------------------------------------------------------------

local datagram_field = {
  id_length = ProtoField.uint8("hashike_datagram.id_length", "Bytes of the CONNECTION_ID, minus 1", base.DEC, nil, 0x07),
  connection_id = ProtoField.bytes("hashike_datagram.connection_id", "CONNECTION_ID"),
  packet_number = ProtoField.uint16("hashike_datagram.packet_number", "Packet number (low 16 bits)", base.DEC),
  payload = ProtoField.bytes("hashike_datagram.payload", "Payload (encrypted)"),
  tag = ProtoField.bytes("hashike_datagram.tag", "Tag"),
}
datagram.fields = {
  datagram_field.id_length,
  datagram_field.connection_id,
  datagram_field.packet_number,
  datagram_field.payload,
  datagram_field.tag,
}

function datagram.dissector(tvb, pinfo, root)
  local first = tvb(0, 1):uint()
  local id = first % 8 + 1
  local head = 1 + id + 2
  if first < 0x81 or first > 0x87 or tvb:len() < head + 8 then return 0 end
  pinfo.cols.protocol = "Hashike"
  pinfo.cols.info:set("Encrypted datagram")
  local tree = root:add(datagram, tvb())
  tree:add(datagram_field.id_length, tvb(0, 1))
  tree:add(datagram_field.connection_id, tvb(1, id))
  tree:add(datagram_field.packet_number, tvb(1 + id, 2))
  if tvb:len() > head + 8 then tree:add(datagram_field.payload, tvb(head, tvb:len() - head - 8)) end
  tree:add(datagram_field.tag, tvb(tvb:len() - 8, 8))
  return tvb:len()
end

-- Where they are asked -----------------------------------------------------------------------------------------------------------------------

local tcp_ports = DissectorTable.get("tcp.port")
local udp_ports = DissectorTable.get("udp.port")
local current_port = 0

local function listen_at(port)
  if port == current_port then return end
  if current_port > 0 then
    tcp_ports:remove(current_port, long)
    udp_ports:remove(current_port, datagram)
  end
  if port > 0 then
    tcp_ports:add(port, long)
    udp_ports:add(port, datagram)
  end
  current_port = port
end

function long.prefs_changed()
  listen_at(long.prefs.port)
end

listen_at(long.prefs.port)
DissectorTable.get("ws.protocol"):add("hashike.tlv.1", long)
DissectorTable.get("wtap_encap"):add(wtap.USER0, serial)
