"""The only room with Textual: what the operator sees and presses.

One widget (`canvas`) draws lines; `frame` arranges them; a screen (`screens/`) draws a `Scene` made of a Snapshot, a
panel (`panels/`) a part of one, a sheet (`sheets/`) lies over it. They say what they want by `messages`, and the
application (`app.MailtopApp`) alone talks to the engine's console.
"""
