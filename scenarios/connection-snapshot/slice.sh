cat "$1" | head -20 | tail -10
