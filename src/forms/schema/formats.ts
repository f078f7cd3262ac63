/**
 * The formats of JSON schemas as patterns, each one a subset of what its standard allows that every reader takes: dates
 * exist, letters of dates are capitals, a URI has a scheme. A format that is not known is refused by name.
 */

const year = "[0-9]{4}";
const leapYear = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)";
const day = `(?:${year}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|${leapYear}-02-29)`;
const clock = String.raw`(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?`;
const zone = "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
/** A leap second is the last of a day in UTC. */
const time = String.raw`(?:${clock}${zone}|23:59:60(?:\.[0-9]+)?Z)`;
/** Of a mail address. Its length is not counted: readers do not, and with a maxLength beside it too many states would. */
const mailLabel = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
/**
 * At most `length` characters, without hyphens at its third and fourth place, which stand for other letters (RFC 5890). A
 * name has 253 at most (RFC 1123): three labels of any length, or twelve of 20.
 */
function hostLabel(length: number): string {
  const end = "[a-zA-Z0-9]";
  const any = "[a-zA-Z0-9-]";
  const longer = `${any}(?:${end}${any}|-${end})${any}{0,${length - 5}}${end}`;
  return `${end}(?:${any}?${end}|${any}${any}${end}|${longer})?`;
}

function hostNames(labels: number, length: number): string {
  const one = hostLabel(length);
  return String.raw`${one}(?:\.${one}){0,${labels - 1}}`;
}
const mailWord = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+";
const byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const ipv4 = String.raw`${byte}(?:\.${byte}){3}`;
const hex = "[0-9a-fA-F]";
const group = `${hex}{1,4}`;
/** RFC 3986, appendix A: eight groups, the last two perhaps as an IPv4 address, or fewer around one "::". */
const ipv6 = [
  `(?:${group}:){7}${group}`,
  `(?:${group}:){6}${ipv4}`,
  ...Array.from({ length: 8 }, (_, before) => {
    const front = before === 0 ? "" : `${group}(?::${group}){${before - 1}}`;
    const behind = 7 - before;
    const rest = behind === 0 ? "" : `(?:${group}(?::${group}){0,${behind - 1}})?`;
    const ends = [rest];
    for (let groups = 0; groups + 2 < behind; groups++)
      ends.push(`(?:${group}:){${groups}}${ipv4}`);
    return `${front}::(?:${ends.join("|")})`;
  }),
].join("|");
const escapedByte = `%${hex}{2}`;
const unreserved = "a-zA-Z0-9._~";
const pathCharacter = `(?:[${unreserved}!$&'()*+,;=:@-]|${escapedByte})`;
const userPart = `(?:[${unreserved}!$&'()*+,;=:-]|${escapedByte})*@`;
const host = `(?:(?:[${unreserved}!$&'()*+,;=-]|${escapedByte})+|\\[(?:${ipv6})\\])`;
const firstSegment = `(?:[${unreserved}!$&'()*+,;=@-]|${escapedByte})+`;
const tail = String.raw`(?:\?(?:${pathCharacter}|[/?])*)?(?:#(?:${pathCharacter}|[/?])*)?`;
/** It may be empty: file:///home. */
const authority = `//(?:(?:${userPart})?${host}(?::[0-9]{1,5})?)?(?:/${pathCharacter}*)*`;
const plainPath = `(?:/(?:${pathCharacter}+(?:/${pathCharacter}*)*)?|${pathCharacter}+(?:/${pathCharacter}*)*)`;
const days = "[0-9]+D";
const hours = "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)";

const uri = `[a-zA-Z][a-zA-Z0-9+.-]*:(?:${authority}|${plainPath})${tail}`;
const base64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?";

/** A whole text of each format. */
export const formatPatterns: Readonly<Record<string, string>> = {
  date: day,
  time,
  "date-time": `${day}T${time}`,
  duration: `P(?:[0-9]+W|(?:${days}|[0-9]+M(?:${days})?|[0-9]+Y(?:[0-9]+M(?:${days})?)?)(?:${hours})?|${hours})`,
  email: String.raw`${mailWord}(?:\.${mailWord})*@${mailLabel}(?:\.${mailLabel})+`,
  hostname: `${hostNames(3, 63)}|${hostNames(12, 20)}`,
  ipv4,
  ipv6,
  uri,
  "uri-reference": `(?:[a-zA-Z][a-zA-Z0-9+.-]*:(?:${authority}|${plainPath})|${authority}|/(?:${pathCharacter}+(?:/${pathCharacter}*)*)?|${firstSegment}(?:/${pathCharacter}*)*)?${tail}`,
  uuid: `${hex}{8}-${hex}{4}-${hex}{4}-${hex}{4}-${hex}{12}`,
  url: uri,
  "json-pointer": "(?:/(?:[^/~]|~[01])*)*",
  // Of OpenAPI, pydantic and zod.
  byte: base64,
  base64,
  base64url: "(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?",
  ulid: "[0-7][0-9A-HJKMNP-TV-Z]{25}",
  nanoid: "[A-Za-z0-9_-]{21}",
  e164: String.raw`\+[1-9][0-9]{6,14}`,
};

/** URIs of at least so many characters may be counted by their parts. */
export const leastUriLength = 400;

/**
 * URIs of at most `length` characters, counted by their parts: a scheme of 20, a host of 253, and three parts behind it with a
 * third of the rest each, of which an escaped byte takes three. To count all at once would need a state for each character.
 */
export function uriOfLength(length: number): string {
  const port = 6;
  const rest = Math.floor((length - 20 - "://".length - 253 - port - "/?#".length) / 9);
  const part = `(?:${pathCharacter}|[/?]){0,${rest}}`;
  const path = `(?:/(?:${pathCharacter}|/){0,${rest}})?`;
  const name = `[${unreserved}-]{1,253}`;
  return String.raw`[a-zA-Z][a-zA-Z0-9+.-]{0,19}://${name}(?::[0-9]{1,5})?${path}(?:\?${part})?(?:#${part})?`;
}

/** Formats of OpenAPI and pydantic that say nothing about which texts or numbers are valid. */
export const silentFormats: ReadonlySet<string> = new Set([
  "password",
  "float",
  "double",
  "binary",
  "path",
]);

/** Formats of OpenAPI that limit whole numbers: least and largest. */
export const numberFormats: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 63), 2 ** 63 - 1024],
};
