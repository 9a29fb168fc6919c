cat prog-show.txt | grep -E "(tcp_connect|tcp_close)" | wc -l
