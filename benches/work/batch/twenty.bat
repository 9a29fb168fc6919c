@echo off
setlocal
set "KEY=HKCU\Software\Lab"
set "ROOT="
reg add %KEY% /v Root /t REG_SZ /d C:\Tools\go /f >nul
reg add %KEY% /v Count /t REG_DWORD /d 3 /f >nul
reg query %KEY% /v Root >nul 2>&1
if errorlevel 1 set "ROOT=missing"
for /f "tokens=2,*" %%a in ('reg query %KEY% /v Root') do set "ROOT=%%b"
if not defined ROOT set "ROOT=C:\Go"
if exist "%ROOT%\bin\go.exe" set "FOUND=yes"
if not exist out md out
set /a SUM=0
for /l %%i in (1,1,10) do set /a SUM+=%%i
call :say %ROOT% %SUM%
type out\log.txt
del out\log.txt
rd out
reg delete %KEY% /f >nul
goto :eof
:say
echo %1 %2>out\log.txt
