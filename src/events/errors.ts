import { defineErrors } from "../lib/errors.ts";

export const eventErrors = defineErrors({
  EventTooLarge: { status: 500, remedy: "Put the large part where it belongs and its id into the event." },
  CursorMoved: { status: 409, remedy: "It is read again from where it is now." },
  EventsGone: { status: 410, remedy: "Read the present state again, then follow from the newest event." },
});
