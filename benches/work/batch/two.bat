@echo off
rem Looks for Go in the registry as the article does, and writes what it found where the other one looks.
set "FOUND="
reg query "HKCU\Software\GoLang" /v GOROOT >nul 2>&1 && (
  for /f "tokens=2,*" %%a in ('reg query "HKCU\Software\GoLang" /v GOROOT ^| findstr "REG_SZ"') do set "FOUND=%%b"
)
if defined FOUND if exist "%FOUND%\bin\go.exe" goto found
set "FOUND=C:\Go-two"
:found
reg add "HKCU\Software\GoLang" /v GOROOT /d "%FOUND%" /f >nul
echo %FOUND%
