"""The life of a tender: people, roles, powers, rulebooks, calendar, trustees, lifecycle, award, objections.

This room says what the law allows. It never opens a bid and never scores one."""
