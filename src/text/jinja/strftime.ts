/** datetime.strftime of a time without a zone, as glibc writes it in the locale C. */
import { fail } from "./errors.ts";

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months =
  "January February March April May June July August September October November December".split(
    " ",
  );

/** % flags width directive */
const directive = /%([-_0^#]*)(\d*)([a-zA-Z%]|$)/g;

/**
 * `time` in the local zone.
 * @throws TemplateError of kind "unsupported" for directives and flags in which C libraries differ
 */
export function formatTime(time: Date, format: string): string {
  return format.replace(directive, (whole, flags: string, width: string, letter: string) => {
    const field = fieldOf(time, letter) ?? failFormat(whole);
    if (flags === "" && width === "") return typeof field === "string" ? field : plain(field);
    if (typeof field !== "string") return padNumber(field, flags, width);
    const isName = "aAbBhp".includes(letter) && width === "" && /^[\^#]$/.test(flags);
    return isName ? changeCase(field, flags) : failFormat(whole);
  });
}

function failFormat(directive: string): never {
  fail("unsupported", `strftime's "${directive}" is not supported`);
}

/** A number with the width and the fill that it has unless flags change them. */
interface NumberField {
  readonly value: number;
  readonly width: number;
  readonly fill: "0" | " ";
}

function number(value: number, width: number, fill: "0" | " " = "0"): NumberField {
  return { value, width, fill };
}

function plain({ value, width, fill }: NumberField): string {
  return String(value).padStart(width, fill);
}

function padNumber(field: NumberField, flags: string, width: string): string {
  if (width !== "" || flags.length !== 1) failFormat(`%${flags}${width}`);
  if (flags === "-") return String(field.value);
  if (flags === "_") return plain({ ...field, fill: " " });
  return plain(flags === "0" ? { ...field, fill: "0" } : field);
}

function changeCase(text: string, flag: string): string {
  if (flag === "#" && (text === "AM" || text === "PM")) return text.toLowerCase();
  return text.toUpperCase();
}

function fieldOf(time: Date, letter: string): string | NumberField | undefined {
  const again = (format: string): string => formatTime(time, format);
  const hours = time.getHours();
  const year = time.getFullYear();
  switch (letter) {
    case "%":
      return "%";
    case "n":
      return "\n";
    case "t":
      return "\t";
    case "a":
      return (weekdays[time.getDay()] ?? "").slice(0, 3);
    case "A":
      return weekdays[time.getDay()] ?? "";
    case "b":
    case "h":
      return (months[time.getMonth()] ?? "").slice(0, 3);
    case "B":
      return months[time.getMonth()] ?? "";
    case "c":
      return again("%a %b %e %H:%M:%S %Y");
    case "C":
      return number(Math.floor(year / 100), 2);
    case "d":
      return number(time.getDate(), 2);
    case "D":
    case "x":
      return again("%m/%d/%y");
    case "e":
      return number(time.getDate(), 2, " ");
    case "f":
      return String(time.getMilliseconds() * 1000).padStart(6, "0");
    case "F":
      return again("%Y-%m-%d");
    case "g":
      return number(isoWeek(time).year % 100, 2);
    case "G":
      return number(isoWeek(time).year, 1);
    case "H":
      return number(hours, 2);
    case "I":
      return number(hours % 12 || 12, 2);
    case "j":
      return number(dayOfYear(time) + 1, 3);
    case "k":
      return number(hours, 2, " ");
    case "l":
      return number(hours % 12 || 12, 2, " ");
    case "m":
      return number(time.getMonth() + 1, 2);
    case "M":
      return number(time.getMinutes(), 2);
    case "p":
      return hours < 12 ? "AM" : "PM";
    case "P":
      return hours < 12 ? "am" : "pm";
    case "r":
      return again("%I:%M:%S %p");
    case "R":
      return again("%H:%M");
    case "s":
      return String(Math.floor(time.getTime() / 1000));
    case "S":
      return number(time.getSeconds(), 2);
    case "T":
    case "X":
      return again("%H:%M:%S");
    case "u":
      return number(time.getDay() || 7, 1);
    case "U":
      return number(Math.floor((dayOfYear(time) + 7 - time.getDay()) / 7), 2);
    case "V":
      return number(isoWeek(time).week, 2);
    case "w":
      return number(time.getDay(), 1);
    case "W":
      return number(Math.floor((dayOfYear(time) + 7 - ((time.getDay() + 6) % 7)) / 7), 2);
    case "y":
      return number(year % 100, 2);
    case "Y":
      return number(year, 1);
    case "z":
    case "Z":
      return "";
    default:
      return undefined;
  }
}

/** From 0 on. */
function dayOfYear(time: Date): number {
  const first = Date.UTC(time.getFullYear(), 0, 1);
  const day = Date.UTC(time.getFullYear(), time.getMonth(), time.getDate());
  return (day - first) / 86_400_000;
}

/** ISO 8601: a week belongs to the year of its Thursday. */
function isoWeek(time: Date): { readonly year: number; readonly week: number } {
  const thursday = new Date(time.getFullYear(), time.getMonth(), time.getDate());
  thursday.setDate(thursday.getDate() + 4 - (thursday.getDay() || 7));
  return { year: thursday.getFullYear(), week: Math.floor(dayOfYear(thursday) / 7) + 1 };
}
